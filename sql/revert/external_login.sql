BEGIN;

DROP TABLE identity.external_login;

COMMIT;

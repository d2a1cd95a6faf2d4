BEGIN;

DROP TABLE identity.registration;

COMMIT;

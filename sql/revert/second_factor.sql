BEGIN;

DROP TABLE identity.challenge, identity.recovery_code, identity.totp;

ALTER TABLE identity.session
    DROP COLUMN acr,
    DROP COLUMN amr;

COMMIT;

BEGIN;

DROP TABLE identity.phone_code;

ALTER TABLE identity.account
    DROP COLUMN phone,
    DROP COLUMN phone_verified_at;

COMMIT;

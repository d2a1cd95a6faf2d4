BEGIN;

DROP TABLE identity.one_time_token;

ALTER TABLE identity.account
    DROP COLUMN email_verified_at;

COMMIT;

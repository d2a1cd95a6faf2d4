BEGIN;

ALTER TABLE identity.account
    DROP COLUMN tier;

COMMIT;

BEGIN;

DELETE FROM identity.phone_code
WHERE account IS NULL;

ALTER TABLE identity.phone_code
    ALTER COLUMN account SET NOT NULL;

COMMENT ON COLUMN identity.phone_code.account IS 'Who wants the number';

COMMIT;

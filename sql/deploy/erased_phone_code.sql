-- Codes of an erased account count for their number.

BEGIN;

SET LOCAL ROLE azora_owner;

ALTER TABLE identity.phone_code
    ALTER COLUMN account DROP NOT NULL;

COMMENT ON COLUMN identity.phone_code.account IS
    'Who wants the number; NULL: the account was erased';

COMMIT;

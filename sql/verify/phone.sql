-- The table and the columns exist that the functions use.

BEGIN;

SELECT phone, phone_verified_at
FROM identity.account
WHERE false;

SELECT id, account, phone, hash, tries, created_at, used_at
FROM identity.phone_code
WHERE false;

ROLLBACK;

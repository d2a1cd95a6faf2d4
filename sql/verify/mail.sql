-- The table exists with the columns that the functions use.

BEGIN;

SELECT email_verified_at
FROM identity.account
WHERE false;

SELECT hash, account, purpose, email, created_at, expires_at, used_at
FROM identity.one_time_token
WHERE false;

ROLLBACK;

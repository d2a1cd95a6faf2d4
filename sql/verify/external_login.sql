-- The table exists with the columns that the functions use.

BEGIN;

SELECT issuer, subject, account, created_at
FROM identity.external_login
WHERE false;

ROLLBACK;

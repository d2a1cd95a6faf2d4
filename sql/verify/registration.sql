-- The table exists with the columns that the functions use.

BEGIN;

SELECT id, email, name, password, hash, created_at, mailed_at
FROM identity.registration
WHERE false;

ROLLBACK;

-- The column exists.

BEGIN;

SELECT tier
FROM identity.account
WHERE false;

ROLLBACK;

-- A code may be nobody's.

BEGIN;

SELECT 1 / count(*)
FROM information_schema.columns
WHERE table_schema = 'identity' AND table_name = 'phone_code'
  AND column_name = 'account' AND is_nullable = 'YES';

ROLLBACK;

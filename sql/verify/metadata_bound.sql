BEGIN;

SELECT 1 / count(*)
FROM pg_constraint AS c
WHERE c.conrelid = 'ledger.metadata'::regclass
  AND c.conname = 'metadata_size'
  AND pg_get_constraintdef(c.oid) LIKE '%262144%';

ROLLBACK;

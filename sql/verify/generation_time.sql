BEGIN;

SELECT 1 / count(*)
FROM pg_attribute AS a
WHERE a.attrelid = 'azora.generation'::regclass
  AND a.attname = 'value'
  AND col_description(a.attrelid, a.attnum) LIKE '%Unix time%';

ROLLBACK;

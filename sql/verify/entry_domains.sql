BEGIN;

SELECT 1 / (count(*) = 3)::int
FROM information_schema.columns AS c
WHERE c.table_schema = 'journal' AND c.table_name IN ('entry', 'payload')
  AND (c.column_name, c.domain_name)
      IN (('type', 'event_type'), ('payload_hash', 'digest'),
          ('salt', 'digest'));

ROLLBACK;

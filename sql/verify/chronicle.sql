BEGIN;

SELECT one, size, checkpoint, leader, lease_until, signed_at
FROM journal.tree WHERE false;

SELECT 1 / (to_regclass('journal.entry_waiting') IS NOT NULL)::int;

ROLLBACK;

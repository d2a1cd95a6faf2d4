BEGIN;

SELECT 1 / (to_regclass('ledger.snapshot') IS NULL)::int;

ROLLBACK;

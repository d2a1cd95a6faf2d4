BEGIN;

SELECT credit, recipient, memo, settles_at FROM ledger.hold WHERE false;

SELECT 1 / (to_regclass('ledger.hold_settles') IS NOT NULL)::int;

ROLLBACK;

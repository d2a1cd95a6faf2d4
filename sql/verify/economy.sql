BEGIN;

SELECT name, at, body FROM ledger.snapshot WHERE false;

ROLLBACK;

BEGIN;

SELECT transfer, body FROM ledger.metadata WHERE false;

SELECT transfer, original, amount FROM ledger.reversal WHERE false;

ROLLBACK;

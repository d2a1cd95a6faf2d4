BEGIN;

DROP TABLE ledger.reversal;
DROP TABLE ledger.metadata;

COMMIT;

BEGIN;

DROP TABLE ledger.snapshot;

COMMIT;

BEGIN;

DROP INDEX ledger.operation_rate;

COMMIT;

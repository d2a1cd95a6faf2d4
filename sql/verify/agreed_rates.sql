BEGIN;

SELECT 'ledger.operation_rate'::regclass;

ROLLBACK;

-- The cache of answers keeps the figures over all accounts.

BEGIN;

SET LOCAL ROLE azora_owner;

DROP TABLE ledger.snapshot;

COMMIT;

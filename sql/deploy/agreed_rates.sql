-- What was agreed on for a pair of currencies, latest first: asked for at each
-- change of a rate, which may come every minute.

BEGIN;

SET LOCAL ROLE azora_owner;

CREATE INDEX operation_rate ON ledger.operation
    ((arguments ->> 'sell'), (arguments ->> 'buy'), decided_at)
    WHERE action = 'rate' AND state = 'done';

COMMIT;

-- A webhook's deliveries in one state are found without looking at all others.

BEGIN;

SET LOCAL ROLE azora_owner;

CREATE INDEX webhook_delivery_state
    ON journal.webhook_delivery (webhook, state, seq);

COMMIT;

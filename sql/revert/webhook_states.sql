BEGIN;

DROP INDEX journal.webhook_delivery_state;

COMMIT;

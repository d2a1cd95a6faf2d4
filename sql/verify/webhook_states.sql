BEGIN;

SELECT 1 / (to_regclass('journal.webhook_delivery_state') IS NOT NULL)::int;

ROLLBACK;

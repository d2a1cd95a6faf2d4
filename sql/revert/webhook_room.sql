BEGIN;

ALTER TABLE journal.webhook DROP COLUMN failing;

COMMIT;

-- with the functions that take their rows
BEGIN;

DELETE FROM journal.job WHERE kind = 'webhook';
DROP TABLE journal.webhook_place CASCADE;
DROP TABLE journal.webhook_delivery CASCADE;
DROP TABLE journal.webhook CASCADE;

COMMIT;

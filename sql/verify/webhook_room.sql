BEGIN;

SELECT failing FROM journal.webhook WHERE false;

ROLLBACK;

BEGIN;

DROP TABLE journal.tree;
DROP INDEX journal.entry_waiting;

COMMIT;

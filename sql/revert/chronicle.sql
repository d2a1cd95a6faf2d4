BEGIN;

DROP TABLE journal.tree;
DROP INDEX journal.payload_subject;
DROP INDEX journal.entry_waiting;

COMMIT;

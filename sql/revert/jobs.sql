BEGIN;

DROP SEQUENCE journal.job_wake;
DROP TABLE journal.dead_letter;
DROP TABLE journal.job;

COMMIT;

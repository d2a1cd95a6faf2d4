-- with the functions that take their rows
BEGIN;

DROP SEQUENCE journal.job_wake;
DROP TABLE journal.dead_letter CASCADE;
DROP TABLE journal.job CASCADE;

COMMIT;

BEGIN;

SELECT id, number, kind, lane, subject, payload, state, failures,
       failures_max, not_before, lease, last_error, created_at
FROM journal.job WHERE false;

SELECT id, number, consumer, entry, job, failures, error, died_at,
       replayed_at, replayed_by
FROM journal.dead_letter WHERE false;

SELECT last_value FROM journal.job_wake;

ROLLBACK;

-- The tables exist with the columns that the functions use.

BEGIN;

SELECT id, seq, type, at, payload_hash
FROM journal.entry
WHERE false;

SELECT entry, salt, body, subject, traceparent, created_at
FROM journal.payload
WHERE false;

SELECT consumer, type
FROM journal.subscription
WHERE false;

SELECT consumer, entry, state, failures, not_before, last_error
FROM journal.delivery
WHERE false;

SELECT consumer, entry, handled_at
FROM journal.inbox
WHERE false;

ROLLBACK;

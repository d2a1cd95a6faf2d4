BEGIN;

SELECT id, account, url, types, everybody, description, active, reason, key,
       version, old_key, old_until, since, created_at
FROM journal.webhook WHERE false;

SELECT webhook, entry, seq, state, job, attempts, history, created_at,
       delivered_at
FROM journal.webhook_delivery WHERE false;

SELECT 1 / count(*) FROM journal.webhook_place;

ROLLBACK;

-- The tables exist with the columns that the functions use.

BEGIN;

SELECT subject, route, key, payload_hash, status, body, etag, location,
       created_at
FROM azora.idempotency
WHERE false;

SELECT name, value
FROM azora.generation
WHERE false;

SELECT part, digest, deployed_at
FROM azora.deployment
WHERE false;

ROLLBACK;

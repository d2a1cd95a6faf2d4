-- The tables exist with the columns that the functions use.

BEGIN;

SELECT name, number, title, text
FROM court.principle
WHERE false;

SELECT number, title, text, principle
FROM court.article
WHERE false;

SELECT id, version, article, state, shadow, effect, routes, pointers, pattern,
       reason, examples, changed_at
FROM court.rule
WHERE false;

SELECT id, at, subject, route, request_id, effect, rules, article,
       constitution, excerpt
FROM court.decision
WHERE false;

ROLLBACK;

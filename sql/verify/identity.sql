-- The tables exist with the columns that the functions use.

BEGIN;

SELECT id, email, name, roles, locked, created_at, erased_at
FROM identity.account
WHERE false;

SELECT account, password, changed_at
FROM identity.credential
WHERE false;

SELECT principal, address, failures, last_at, blocked_until
FROM identity.login_failure
WHERE false;

SELECT id, account, created_at, last_seen_at, expires_at, revoked_at,
       address_prefix, agent
FROM identity.session
WHERE false;

SELECT account, value
FROM identity.epoch
WHERE false;

ROLLBACK;

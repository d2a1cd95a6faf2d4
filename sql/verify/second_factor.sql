-- The tables exist with the columns that the functions use.

BEGIN;

SELECT acr, amr
FROM identity.session
WHERE false;

SELECT account, sealed, last_step, created_at, confirmed_at
FROM identity.totp
WHERE false;

SELECT account, hash, used_at
FROM identity.recovery_code
WHERE false;

SELECT hash, account, amr, tries, created_at, expires_at
FROM identity.challenge
WHERE false;

ROLLBACK;

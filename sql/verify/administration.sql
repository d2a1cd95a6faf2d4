BEGIN;

SELECT handle, lock_reason FROM identity.account WHERE false;

SELECT id, account, name, hash, scopes, created_by, created_at, expires_at,
       last_used_at, revoked_at
FROM identity.api_key WHERE false;

SELECT hash, email, created_at, expires_at, used_at
FROM identity.setup_link WHERE false;

ROLLBACK;

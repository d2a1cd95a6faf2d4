BEGIN;

SELECT authenticated_at, end_reason FROM identity.session WHERE false;

SELECT hash, session, created_at, expires_at, used_at, successor, sealed
FROM identity.refresh_token WHERE false;

SELECT seq, target, epoch, at FROM identity.revocation WHERE false;

ROLLBACK;

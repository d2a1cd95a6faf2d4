-- A task: forgets keys after a day, failed logins after two, and sessions that
-- are over; at most batch rows of each at a time, so that no run holds locks
-- for long.
CREATE OR REPLACE FUNCTION azora.purge(batch int)
RETURNS int
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone  int;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('azora.purge')) THEN
        RETURN 0;
    END IF;

    DELETE FROM azora.idempotency AS i
    WHERE i.ctid = ANY (ARRAY(
        SELECT o.ctid
        FROM azora.idempotency AS o
        WHERE o.created_at < now() - interval '24 hours'
        ORDER BY o.created_at
        LIMIT batch
        FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS gone = ROW_COUNT;

    RETURN gone + identity.purge_login_failures(batch)
           + identity.purge_sessions(batch)
           + identity.purge_challenges(batch)
           + identity.purge_tokens(batch)
           + identity.purge_registrations(batch)
           + identity.purge_phone_codes(batch);
END
$$;

COMMENT ON FUNCTION azora.purge(int) IS
    'Forgets old idempotency keys, failed logins and sessions';

-- A task: forgets idempotency keys after a day, and what is over in identity;
-- at most batch rows of each at a time, so that no run holds locks for long.
CREATE OR REPLACE FUNCTION azora.purge(batch int)
RETURNS int
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('azora.purge')) THEN
        RETURN 0;
    END IF;

    RETURN azora.forget('azora.idempotency', 'created_at', '24 hours', batch)
           + identity.purge(batch);
END
$$;

COMMENT ON FUNCTION azora.purge(int) IS
    'Forgets old idempotency keys, failed logins and sessions';

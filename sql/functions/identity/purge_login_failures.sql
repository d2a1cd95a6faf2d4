CREATE OR REPLACE FUNCTION identity.purge_login_failures(batch int)
RETURNS int
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    gone  int;
BEGIN
    DELETE FROM identity.login_failure AS f
    WHERE f.ctid = ANY (ARRAY(
        SELECT o.ctid
        FROM identity.login_failure AS o
        WHERE o.last_at < now() - interval '2 days'
        ORDER BY o.last_at
        LIMIT batch
        FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS gone = ROW_COUNT;

    RETURN gone;
END
$$;

COMMENT ON FUNCTION identity.purge_login_failures(int) IS
    'Forgets failed logins that no longer count';

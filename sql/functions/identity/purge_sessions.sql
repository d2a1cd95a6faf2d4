-- Forgets what no token can refer to any more: revocations after a day, and
-- sessions a day after their end, with their refresh tokens.
CREATE OR REPLACE FUNCTION identity.purge_sessions(batch int)
RETURNS int
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    over  uuid[];
    gone  int;
BEGIN
    DELETE FROM identity.revocation AS r
    WHERE r.ctid = ANY (ARRAY(
        SELECT o.ctid FROM identity.revocation AS o
        WHERE o.at < now() - interval '26 hours'
        ORDER BY o.at
        LIMIT batch
        FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS gone = ROW_COUNT;

    over := ARRAY(
        SELECT s.id FROM identity.session AS s
        WHERE s.expires_at < now() - interval '1 day'
        ORDER BY s.expires_at
        LIMIT batch
        FOR UPDATE SKIP LOCKED);

    DELETE FROM identity.refresh_token AS t WHERE t.session = ANY (over);
    DELETE FROM identity.session AS s WHERE s.id = ANY (over);

    RETURN gone + cardinality(over);
END
$$;

COMMENT ON FUNCTION identity.purge_sessions(int) IS
    'Forgets sessions that are over and what belonged to them';

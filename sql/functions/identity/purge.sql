-- Forgets what is over: failed logins that no longer count, logins that waited
-- too long for a second factor, links in mails, registrations that nobody
-- answered, codes that were sent to phones, revocations when no token can be
-- that old, and sessions. At most batch rows of each.
CREATE OR REPLACE FUNCTION identity.purge(batch int)
RETURNS int
LANGUAGE sql VOLATILE
AS $$
    SELECT azora.forget('identity.login_failure', 'last_at', '2 days', batch)
         + azora.forget('identity.challenge', 'expires_at', '0', batch)
         + azora.forget('identity.one_time_token', 'expires_at', '1 day', batch)
         + azora.forget('identity.registration', 'created_at', '1 hour', batch)
         + azora.forget('identity.phone_code', 'created_at', '1 day', batch)
         + azora.forget('identity.revocation', 'at', '26 hours', batch)
         + identity.purge_sessions(batch)
$$;

COMMENT ON FUNCTION identity.purge(int) IS
    'Forgets what is over';

-- Sessions go a day after their end, with their refresh tokens.
CREATE OR REPLACE FUNCTION identity.purge_sessions(batch int)
RETURNS int
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    over  uuid[] := ARRAY(
        SELECT s.id FROM identity.session AS s
        WHERE s.expires_at < now() - interval '1 day'
        ORDER BY s.expires_at
        LIMIT batch
        FOR UPDATE SKIP LOCKED);
BEGIN
    PERFORM identity.drop_sessions(over);

    RETURN cardinality(over);
END
$$;

COMMENT ON FUNCTION identity.purge_sessions(int) IS
    'Forgets sessions that are over and what belonged to them';

-- The caller holds them.
CREATE OR REPLACE FUNCTION identity.drop_sessions(sessions uuid[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    DELETE FROM identity.refresh_token AS t WHERE t.session = ANY (sessions);
    DELETE FROM identity.session AS s WHERE s.id = ANY (sessions);
END
$$;

COMMENT ON FUNCTION identity.drop_sessions(uuid[]) IS
    'Forgets sessions and their refresh tokens';

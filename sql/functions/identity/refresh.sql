-- Exchanges a refresh token for its successor. refresh_token is what NGINX made
-- of it: hex SHA-256 of the token and of a successor that it drew, and that
-- successor sealed under a key that the token is needed for.
--
-- A token is used once: one UPDATE decides among any number of requests. For
-- ten seconds the others get the same successor (two tabs of one browser);
-- later, or when the successor was used already, somebody has a copy, and the
-- whole session ends. Refusals are returned: that end has to stay.
CREATE OR REPLACE FUNCTION identity.refresh(
    caller         azora.caller,
    refresh_token  text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    presented  bytea := decode(split_part(refresh_token, ' ', 1), 'hex');
    fresh      bytea := decode(split_part(refresh_token, ' ', 2), 'hex');
    session    uuid;
    account    uuid;
    roles      text[];
    token      record;
    again      text;
BEGIN
    SELECT s.id, s.account INTO session, account
    FROM identity.refresh_token AS t
         JOIN identity.session AS s ON s.id = t.session
    WHERE t.hash = presented;

    -- Before the session is looked at: who locks an account or changes its
    -- roles holds this row. Who ends a session holds that before its tokens.
    SELECT a.roles INTO roles
    FROM identity.account AS a
    WHERE a.id = account AND NOT a.locked AND a.erased_at IS NULL
    FOR SHARE;

    IF NOT FOUND THEN
        RETURN identity.refresh_refused();
    END IF;

    PERFORM 1 FROM identity.session AS s
    WHERE s.id = session AND s.revoked_at IS NULL AND s.expires_at > now()
    FOR NO KEY UPDATE;

    IF NOT FOUND THEN
        RETURN identity.refresh_refused();
    END IF;

    UPDATE identity.refresh_token AS t
    SET used_at = clock_timestamp(), successor = fresh,
        sealed = split_part(refresh.refresh_token, ' ', 3)
    WHERE t.hash = presented AND t.used_at IS NULL AND t.expires_at > now();

    IF FOUND THEN
        INSERT INTO identity.refresh_token (hash, session, expires_at)
        SELECT fresh, s.id, least(now() + interval '7 days', s.expires_at)
        FROM identity.session AS s WHERE s.id = session;
    ELSE
        SELECT t.used_at, t.sealed, n.used_at AS passed_on INTO token
        FROM identity.refresh_token AS t
             LEFT JOIN identity.refresh_token AS n ON n.hash = t.successor
        WHERE t.hash = presented;

        IF token.used_at IS NULL THEN
            RETURN identity.refresh_refused();
        END IF;

        IF token.passed_on IS NOT NULL
           OR token.used_at < clock_timestamp() - interval '10 seconds'
        THEN
            PERFORM journal.append('session.refresh_reused', account,
                jsonb_build_object('account', account, 'session', session),
                caller.traceparent);
            PERFORM identity.send_mail('refresh-reused', account);
            PERFORM identity.end_sessions(caller, account, ARRAY[session],
                                          'reuse');
            RETURN identity.refresh_refused();
        END IF;

        again := token.sealed;
    END IF;

    UPDATE identity.session AS s SET last_seen_at = now()
    WHERE s.id = session;

    RETURN (200,
            identity.grant_document(account, session, roles)
            || jsonb_build_object('sealed', again),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.refresh(azora.caller, text) IS
    'POST /v1/auth/refresh';

CREATE OR REPLACE FUNCTION identity.refresh_refused()
RETURNS azora.reply
LANGUAGE sql IMMUTABLE
AS $$
    SELECT azora.refusal(401, 'invalid-refresh-token',
        'The refresh token is unknown, used or expired. Log in again.')
$$;

COMMENT ON FUNCTION identity.refresh_refused() IS
    'What a refresh token that is of no use gets';

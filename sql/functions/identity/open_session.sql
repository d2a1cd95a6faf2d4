-- Opens a session; NGINX makes the access token of the document. client is
-- what NGINX knows of it: "in" (cookie or body, where the refresh token goes),
-- "hash" (hex SHA-256 of that token) and "agent". An account has at most a
-- hundred sessions: the one that was quiet for longest gives way. Of those that
-- were ended, whose networks and devices are known, it has the last ones: a
-- program that logs in all day must not make each login slower than the one
-- before.
CREATE OR REPLACE FUNCTION identity.open_session(
    caller   azora.caller,
    account  uuid,
    roles    text[],
    client   jsonb DEFAULT NULL,
    acr      text DEFAULT '1',
    amr      text[] DEFAULT '{pwd}'
) RETURNS json
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    session  uuid := azora.uuid7();
    network  text := identity.address_prefix(caller.address);
    strange  boolean;
    living   bigint;
    ended    bigint;
BEGIN
    SELECT count(*) > 0 AND NOT coalesce(bool_or(
               s.address_prefix IS NOT DISTINCT FROM network
               OR s.agent = client ->> 'agent'), false),
           count(*) FILTER (WHERE s.revoked_at IS NULL
                                  AND s.expires_at > now()),
           count(*) FILTER (WHERE s.revoked_at IS NOT NULL)
    INTO strange, living, ended
    FROM identity.session AS s
    WHERE s.account = open_session.account;

    INSERT INTO identity.session (id, account, expires_at, address_prefix,
                                  agent, acr, amr)
    VALUES (session, open_session.account, now() + interval '30 days',
            network, client ->> 'agent', open_session.acr, open_session.amr);

    IF client ? 'hash' THEN
        INSERT INTO identity.refresh_token (hash, session, expires_at)
        VALUES (decode(client ->> 'hash', 'hex'), session,
                now() + interval '7 days');
    END IF;

    PERFORM journal.append('user.logged_in', account,
        jsonb_build_object('account', account, 'session', session,
                           'new_device', strange),
        caller.traceparent);

    IF strange THEN
        PERFORM identity.send_mail('new-device', account,
            jsonb_build_object('network', network));
    END IF;

    IF ended >= 400 THEN
        PERFORM identity.drop_sessions(ARRAY(
            SELECT s.id FROM identity.session AS s
            WHERE s.account = open_session.account
              AND s.revoked_at IS NOT NULL
            ORDER BY s.id
            LIMIT least(ended - 200, 1000)
            FOR UPDATE SKIP LOCKED));
    END IF;

    IF living > 99 THEN
        PERFORM identity.end_sessions(caller, account, ARRAY(
            SELECT s.id FROM identity.session AS s
            WHERE s.account = open_session.account AND s.id <> session
              AND s.revoked_at IS NULL AND s.expires_at > now()
            ORDER BY s.last_seen_at DESC, s.id DESC
            OFFSET 99), 'too-many');
    END IF;

    RETURN identity.grant_document(account, session, roles)
           || jsonb_build_object('in', client -> 'in');
END
$$;

COMMENT ON FUNCTION identity.open_session(azora.caller, uuid, text[], jsonb,
                                          text, text[]) IS
    'Opens a session for an account';

CREATE OR REPLACE FUNCTION identity.session_document(
    session  identity.session,
    current  uuid
) RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_build_object(
        'id', session.id,
        'created_at', azora.rfc3339(session.created_at),
        'last_seen_at', azora.rfc3339(session.last_seen_at),
        'expires_at', azora.rfc3339(session.expires_at),
        'network', session.address_prefix,
        'agent', session.agent,
        'current', session.id IS NOT DISTINCT FROM current)
$$;

COMMENT ON FUNCTION identity.session_document(identity.session, uuid) IS
    'A session as its owner sees it';

-- The living sessions of an account, newest first.
CREATE OR REPLACE FUNCTION identity.session_page(
    account  uuid,
    current  uuid,
    "limit"  bigint,
    cursor   text
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    size    bigint := azora.page_size("limit");
    before  uuid := azora.cursor_uuid(cursor);
    items   json[];
    keys    text[];
BEGIN
    IF before IS NULL THEN
        RETURN azora.invalid_cursor();
    END IF;

    SELECT array_agg(p.document ORDER BY p.id DESC),
           array_agg(p.id::text ORDER BY p.id DESC)
    INTO items, keys
    FROM (SELECT s.id,
                 identity.session_document(s, session_page.current)
                     AS document
          FROM identity.session AS s
          WHERE s.account = session_page.account AND s.id < before
            AND s.revoked_at IS NULL AND s.expires_at > now()
          ORDER BY s.id DESC
          LIMIT size + 1) AS p;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION identity.session_page(uuid, uuid, bigint, text) IS
    'Living sessions of an account, newest first';

CREATE OR REPLACE FUNCTION identity.list_sessions(
    caller   azora.caller,
    "limit"  bigint,
    cursor   text
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN identity.session_page(caller.subject, caller.session, "limit",
                                 cursor);
END
$$;

COMMENT ON FUNCTION identity.list_sessions(azora.caller, bigint, text) IS
    'GET /v1/auth/sessions';

CREATE OR REPLACE FUNCTION identity.end_session(
    caller  azora.caller,
    id      uuid
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moved  bigint;
BEGIN
    moved := identity.end_sessions(caller, caller.subject,
                                   ARRAY[end_session.id], 'ended');

    IF moved IS NULL THEN
        PERFORM azora.refuse(404, 'not-found',
            'None of your sessions has this id, or it is over.');
    END IF;

    RETURN (204, NULL, moved, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.end_session(azora.caller, uuid) IS
    'DELETE /v1/auth/sessions/{id}';

CREATE OR REPLACE FUNCTION identity.end_other_sessions(caller azora.caller)
RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (204, NULL,
            identity.end_sessions(caller, caller.subject,
                identity.other_sessions(caller.subject, caller.session),
                'ended'),
            NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.end_other_sessions(azora.caller) IS
    'DELETE /v1/auth/sessions';

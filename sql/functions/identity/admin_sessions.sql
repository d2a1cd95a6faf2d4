CREATE OR REPLACE FUNCTION identity.list_user_sessions(
    caller   azora.caller,
    id       uuid,
    "limit"  bigint,
    cursor   text
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN identity.session_page(list_user_sessions.id, caller.session,
                                 "limit", cursor);
END
$$;

COMMENT ON FUNCTION identity.list_user_sessions(azora.caller, uuid, bigint,
                                                text) IS
    'GET /v1/admin/users/{id}/sessions';

CREATE OR REPLACE FUNCTION identity.end_user_sessions(
    caller  azora.caller,
    id      uuid
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (204, NULL,
            identity.end_sessions(caller, end_user_sessions.id,
                identity.other_sessions(end_user_sessions.id, NULL),
                'admin'),
            NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.end_user_sessions(azora.caller, uuid) IS
    'DELETE /v1/admin/users/{id}/sessions';

CREATE OR REPLACE FUNCTION identity.end_user_session(
    caller   azora.caller,
    id       uuid,
    session  uuid
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moved  bigint;
BEGIN
    moved := identity.end_sessions(caller, end_user_session.id,
                                   ARRAY[end_user_session.session], 'admin');

    IF moved IS NULL THEN
        PERFORM azora.refuse(404, 'not-found',
            'The account has no such session, or it is over.');
    END IF;

    RETURN (204, NULL, moved, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.end_user_session(azora.caller, uuid, uuid) IS
    'DELETE /v1/admin/users/{id}/sessions/{session}';

-- The etag is no entity's: NGINX takes the new generation of sessions from
-- there, so that the node that answers knows at once.
CREATE OR REPLACE FUNCTION identity.logout(
    caller  azora.caller,
    "all"   boolean
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moved  bigint;
BEGIN
    moved := identity.end_sessions(caller, caller.subject,
        CASE WHEN "all" THEN identity.other_sessions(caller.subject, NULL)
             ELSE ARRAY[caller.session] END, 'logout');

    RETURN (204, NULL, moved, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.logout(azora.caller, boolean) IS
    'POST /v1/auth/logout';

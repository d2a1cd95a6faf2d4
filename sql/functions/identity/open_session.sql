-- Opens a session; NGINX makes the access token of the document.
CREATE OR REPLACE FUNCTION identity.open_session(
    caller   azora.caller,
    account  uuid,
    roles    text[]
) RETURNS json
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    session  uuid := azora.uuid7();
BEGIN
    INSERT INTO identity.session (id, account, expires_at, address_prefix)
    VALUES (session, open_session.account, now() + interval '30 days',
            identity.address_prefix(caller.address));

    PERFORM journal.append('user.logged_in', account,
        jsonb_build_object('account', account, 'session', session),
        caller.traceparent);

    RETURN json_build_object(
        'subject', account,
        'session', session,
        'roles', roles,
        'scope', identity.scopes(roles),
        'acr', '1');
END
$$;

COMMENT ON FUNCTION identity.open_session(azora.caller, uuid, text[]) IS
    'Opens a session for an account';

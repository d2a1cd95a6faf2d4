-- The end of a login. password is NGINX's verdict, see password_proved();
-- refresh is what it knows of the client, see open_session(). Refusals are
-- returned and not raised, because the failure has to stay counted. The
-- account's row is held, so that who locks it also ends this session.
CREATE OR REPLACE FUNCTION identity.login(
    caller    azora.caller,
    email     text,
    password  text,
    refresh   text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_account  uuid;
    found_roles    text[];
    usable         boolean;
    wait           int;
BEGIN
    SELECT a.id, a.roles, NOT a.locked
    INTO found_account, found_roles, usable
    FROM identity.account AS a
    WHERE a.email = lower(login.email)
    FOR SHARE;

    wait := identity.guess_wait(login.email, caller.address);

    IF wait > 0 THEN
        RETURN azora.refusal(429, 'too-many-attempts', format(
            'Too many attempts failed. Try again in %s s.', wait));
    END IF;

    IF usable IS NOT TRUE
       OR NOT identity.password_proved(found_account, login.password)
    THEN
        PERFORM identity.login_failed(login.email, caller.address);
        PERFORM journal.append('user.login_failed', found_account,
            jsonb_build_object('account', found_account), caller.traceparent);
        RETURN azora.refusal(401, 'invalid-credentials',
            'The e-mail address or the password is wrong.');
    END IF;

    -- Its failures stay counted: the password alone proves too little here.
    IF identity.has_second_factor(found_account) THEN
        RETURN identity.challenge(found_account);
    END IF;

    PERFORM identity.login_succeeded(login.email, caller.address);

    RETURN (200,
            identity.open_session(caller, found_account, found_roles,
                                  refresh::jsonb),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.login(azora.caller, text, text, text) IS
    'POST /v1/auth/login';

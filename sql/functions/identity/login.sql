-- The end of a login. password is what NGINX found: 'ok', 'bad', or
-- 'rehash:' and a PHC string of today's parameters. Refusals are returned and
-- not raised, because the failure has to stay counted.
CREATE OR REPLACE FUNCTION identity.login(
    caller    azora.caller,
    email     text,
    password  text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_account  uuid;
    found_roles    text[];
    usable         boolean;
    wait           int := identity.login_wait(login.email, caller.address);
BEGIN
    IF wait > 0 THEN
        RETURN azora.refusal(429, 'too-many-attempts', format(
            'Too many attempts failed. Try again in %s s.', wait));
    END IF;

    SELECT a.id, a.roles, NOT a.locked
    INTO found_account, found_roles, usable
    FROM identity.account AS a
    WHERE a.email = lower(login.email);

    IF usable IS NOT TRUE
       OR NOT (login.password = 'ok' OR login.password LIKE 'rehash:%')
    THEN
        PERFORM identity.login_failed(login.email, caller.address);
        PERFORM journal.append('user.login_failed', found_account,
            jsonb_build_object('account', found_account), caller.traceparent);
        RETURN azora.refusal(401, 'invalid-credentials',
            'The e-mail address or the password is wrong.');
    END IF;

    IF login.password LIKE 'rehash:%' THEN
        UPDATE identity.credential AS c
        SET password = substr(login.password, 8), changed_at = now()
        WHERE c.account = found_account;
    END IF;

    DELETE FROM identity.login_failure AS f
    WHERE f.principal = sha256(convert_to(lower(login.email), 'UTF8'))
      AND f.address IN ('', coalesce(caller.address, ''));

    RETURN (200,
            identity.open_session(caller, found_account, found_roles),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.login(azora.caller, text, text) IS
    'POST /v1/auth/login';

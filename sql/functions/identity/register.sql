-- A new account. password is the PHC string that NGINX made of it; verify is
-- azora_auth_verify_email.
CREATE OR REPLACE FUNCTION identity.register(
    caller    azora.caller,
    email     text,
    password  text,
    name      text,
    verify    boolean DEFAULT false
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    account   uuid := azora.uuid7();
    document  json;
BEGIN
    IF verify THEN
        RETURN identity.begin_registration(email, password, name);
    END IF;

    INSERT INTO identity.account AS a (id, email, name)
    VALUES (account, lower(register.email), register.name)
    ON CONFLICT ON CONSTRAINT account_email_key DO NOTHING
    RETURNING identity.account_document(a) INTO document;

    IF NOT FOUND THEN
        PERFORM azora.refuse(409, 'email-taken',
            'An account with this e-mail address exists.', '/email');
    END IF;

    INSERT INTO identity.credential (account, password)
    VALUES (account, register.password);

    PERFORM journal.append('user.registered', account,
        jsonb_build_object('account', account), caller.traceparent);

    PERFORM identity.send_mail('email-verify', account);

    RETURN (201, document, NULL, '/v1/me')::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.register(azora.caller, text, text, text,
                                     boolean) IS
    'POST /v1/auth/register';

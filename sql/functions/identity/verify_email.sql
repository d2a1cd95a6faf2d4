-- token is the hex SHA-256 of what the mail had; or an address that wants
-- another mail, which is always accepted and may come to nothing.
CREATE OR REPLACE FUNCTION identity.verify_email(
    caller  azora.caller,
    token   text,
    email   text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    link    record;
    proved  text;
BEGIN
    IF (token IS NULL) = (email IS NULL) THEN
        PERFORM azora.refuse(422, 'validation-failed',
            'Send either the token or the address.', '/token');
    END IF;

    IF token IS NULL THEN
        PERFORM identity.send_mail_to('email-verify', email);
        RETURN (202, json_build_object(), NULL, NULL)::azora.reply;
    END IF;

    proved := identity.finish_registration(caller, decode(token, 'hex'));

    IF proved IS NOT NULL THEN
        RETURN (200, json_build_object('email', proved), NULL,
                NULL)::azora.reply;
    END IF;

    UPDATE identity.one_time_token AS t SET used_at = now()
    WHERE t.hash = decode(token, 'hex') AND t.purpose = 'email-verify'
      AND t.used_at IS NULL AND t.expires_at > now()
    RETURNING t.account, t.email INTO link;

    UPDATE identity.account AS a SET email_verified_at = now()
    WHERE a.id = link.account AND a.email = link.email;

    IF NOT FOUND THEN
        PERFORM identity.refuse_link();
    END IF;

    PERFORM journal.append('user.email_verified', link.account,
        jsonb_build_object('account', link.account), caller.traceparent);

    RETURN (200, json_build_object('email', link.email), NULL,
            NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.verify_email(azora.caller, text, text) IS
    'POST /v1/auth/email/verify';

CREATE OR REPLACE FUNCTION identity.refuse_link()
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    SELECT azora.refuse(404, 'link-over',
        'The link is not complete, was used, or is older than an hour. Ask '
        'for another one.')
$$;

COMMENT ON FUNCTION identity.refuse_link() IS
    'What a token that is of no use gets';

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

    SELECT l.account, l.email INTO link
    FROM identity.follow_link(token, 'email-verify') AS l;

    UPDATE identity.account AS a SET email_verified_at = now()
    WHERE a.id = link.account;

    PERFORM journal.append('user.email_verified', link.account,
        jsonb_build_object('account', link.account), caller.traceparent);

    RETURN (200, json_build_object('email', link.email), NULL,
            NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.verify_email(azora.caller, text, text) IS
    'POST /v1/auth/email/verify';

-- Uses a link up and holds the account it was sent to, that first: who ends the
-- links of an account holds it. proved is since when its address is.
CREATE OR REPLACE FUNCTION identity.follow_link(
    token    text,
    purpose  text,
    OUT account  uuid,
    OUT email    text,
    OUT proved   timestamptz
)
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    SELECT t.account, t.email INTO account, email
    FROM identity.one_time_token AS t
    WHERE t.hash = decode(token, 'hex');

    SELECT a.email_verified_at INTO proved
    FROM identity.account AS a
    WHERE a.id = follow_link.account AND a.email = follow_link.email
      AND NOT a.locked AND a.erased_at IS NULL
    FOR UPDATE;

    IF NOT FOUND THEN
        PERFORM identity.refuse_link();
    END IF;

    UPDATE identity.one_time_token AS t SET used_at = now()
    WHERE t.hash = decode(token, 'hex') AND t.purpose = follow_link.purpose
      AND t.used_at IS NULL AND t.expires_at > now();

    IF NOT FOUND THEN
        PERFORM identity.refuse_link();
    END IF;
END
$$;

COMMENT ON FUNCTION identity.follow_link(text, text) IS
    'Uses a link of a mail up';

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

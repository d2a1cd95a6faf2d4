-- Always the same, in the same time: whether somebody has the address is asked
-- later, when the mail is made.
CREATE OR REPLACE FUNCTION identity.forgot_password(
    caller  azora.caller,
    email   text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity.send_mail_to('password-reset', email);

    RETURN (202, json_build_object(), NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.forgot_password(azora.caller, text) IS
    'POST /v1/auth/password/forgot';

-- Whose new password it will be, for the words that it must not be made of;
-- the columns are those of own_credential(). No row for a token of no use.
CREATE OR REPLACE FUNCTION identity.reset_subject(hash text)
RETURNS TABLE (account uuid, password text, tag text, email text, name text)
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT a.id, NULL::text, NULL::text, a.email, a.name
    FROM identity.one_time_token AS t
         JOIN identity.account AS a ON a.id = t.account
    WHERE t.hash = decode(reset_subject.hash, 'hex')
      AND t.purpose = 'password-reset'
      AND t.used_at IS NULL AND t.expires_at > now()
      AND a.email = t.email;
END
$$;

COMMENT ON FUNCTION identity.reset_subject(text) IS
    'Who chooses a new password';

-- token is the hex SHA-256 of what the mail had, new_password the PHC string
-- that NGINX made. All sessions end; the second factor stays. Who reads the
-- mails of an address has shown that it is theirs, and failed logins of before
-- are forgiven: this is the way out of a lockout. Had nobody shown that before,
-- the account may be another's work, and what they linked to it goes. The etag
-- is no entity's.
CREATE OR REPLACE FUNCTION identity.reset_password(
    caller        azora.caller,
    token         text,
    new_password  text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    link   record;
    moved  bigint;
BEGIN
    SELECT l.account, l.email, l.proved INTO link
    FROM identity.follow_link(token, 'password-reset') AS l;

    UPDATE identity.one_time_token AS t SET used_at = now()
    WHERE t.account = link.account AND t.purpose = 'password-reset'
      AND t.used_at IS NULL;

    IF link.proved IS NULL THEN
        UPDATE identity.account AS a SET email_verified_at = now()
        WHERE a.id = link.account;

        PERFORM identity.forget_logins(caller, link.account);
    END IF;

    INSERT INTO identity.credential AS c (account, password)
    VALUES (link.account, new_password)
    ON CONFLICT ON CONSTRAINT credential_pkey DO UPDATE
    SET password = excluded.password, changed_at = now();

    DELETE FROM identity.challenge AS c
    WHERE c.account = link.account;

    PERFORM identity.forgive_failures(link.email);
    PERFORM journal.append('user.password_reset', link.account,
        jsonb_build_object('account', link.account), caller.traceparent);
    PERFORM identity.send_mail('password-changed', link.account);

    moved := identity.end_sessions(caller, link.account,
        identity.other_sessions(link.account, NULL), 'password-reset');

    RETURN (204, NULL, moved, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.reset_password(azora.caller, text, text) IS
    'POST /v1/auth/password/reset';

-- Links that were sent and wait.
CREATE OR REPLACE FUNCTION identity.forget_links(account uuid)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    DELETE FROM identity.one_time_token AS t
    WHERE t.account = forget_links.account;
END
$$;

COMMENT ON FUNCTION identity.forget_links(uuid) IS
    'Ends the links that an account was sent';

-- Failures of all addresses: the count over all, too.
CREATE OR REPLACE FUNCTION identity.forgive_failures(email text)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    DELETE FROM identity.login_failure AS f
    WHERE f.principal = sha256(convert_to(lower(forgive_failures.email),
                                          'UTF8'));
END
$$;

COMMENT ON FUNCTION identity.forgive_failures(text) IS
    'Forgets all failed logins of an account';

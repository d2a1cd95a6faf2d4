-- Names a sealed secret without telling it.
CREATE OR REPLACE FUNCTION identity.totp_tag(sealed text)
RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT left(encode(sha256(convert_to(sealed, 'UTF8')), 'hex'), 16)
$$;

COMMENT ON FUNCTION identity.totp_tag(text) IS
    'Which secret a verdict is about';

-- What NGINX needs to check the first code of an authenticator.
CREATE OR REPLACE FUNCTION identity.totp_secret(account uuid)
RETURNS TABLE (account uuid, sealed text, tag text)
LANGUAGE sql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.account, t.sealed, identity.totp_tag(t.sealed)
    FROM identity.totp AS t
    WHERE t.account = totp_secret.account
$$;

COMMENT ON FUNCTION identity.totp_secret(uuid) IS
    'Sealed one-time secret of an account';

-- What NGINX's verdict about a one-time code is worth: 'wrong', or
-- 'totp:<time step>:<tag>:<the secret sealed anew>', the last often empty. The
-- step of the last code only grows, so that none is taken twice, nor one from
-- before: the condition decides among any number of requests.
CREATE OR REPLACE FUNCTION identity.totp_proved(
    account  uuid,
    verdict  text
) RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    step  bigint;
BEGIN
    IF verdict NOT LIKE 'totp:%' THEN
        RETURN false;
    END IF;

    step := split_part(verdict, ':', 2)::bigint;

    UPDATE identity.totp AS t
    SET last_step = step,
        sealed = coalesce(nullif(split_part(verdict, ':', 4), ''), t.sealed)
    WHERE t.account = totp_proved.account
      AND t.last_step < step
      AND identity.totp_tag(t.sealed) = split_part(verdict, ':', 3);

    RETURN FOUND;
END
$$;

COMMENT ON FUNCTION identity.totp_proved(uuid, text) IS
    'Whether a one-time code was right and new';

-- A secret that is not yet in force; a later one takes the place of a former.
-- sealed is made by NGINX, which also shows the secret.
CREATE OR REPLACE FUNCTION identity.enrol_totp(
    caller  azora.caller,
    sealed  text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_email  text;
BEGIN
    PERFORM identity.step_up(caller);

    SELECT a.email INTO found_email
    FROM identity.account AS a
    WHERE a.id = caller.subject AND a.erased_at IS NULL
    FOR UPDATE;

    IF NOT FOUND THEN
        PERFORM azora.refuse(404, 'not-found', 'This account is gone.');
    END IF;

    INSERT INTO identity.totp AS t (account, sealed)
    VALUES (caller.subject, enrol_totp.sealed)
    ON CONFLICT ON CONSTRAINT totp_pkey DO UPDATE
    SET sealed = excluded.sealed, last_step = 0, created_at = now()
    WHERE t.confirmed_at IS NULL;

    IF NOT FOUND THEN
        PERFORM azora.refuse(409, 'second-factor-exists',
            'The account has a second factor. Turn it off first.');
    END IF;

    RETURN (200, json_build_object('email', found_email), NULL,
            NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.enrol_totp(azora.caller, text) IS
    'POST /v1/auth/totp';

-- code is NGINX's verdict. What was logged in by the password alone ends,
-- except this session, which has just shown the second factor. The etag is no
-- entity's: NGINX takes the new generation of sessions from there.
CREATE OR REPLACE FUNCTION identity.confirm_totp(
    caller  azora.caller,
    code    text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    codes    json;
    moved    bigint;
BEGIN
    PERFORM identity.step_up(caller);

    PERFORM 1 FROM identity.account AS a
    WHERE a.id = caller.subject
    FOR UPDATE;

    PERFORM 1 FROM identity.totp AS t
    WHERE t.account = caller.subject AND t.confirmed_at IS NULL
      AND t.created_at > now() - interval '15 minutes';

    IF NOT FOUND THEN
        PERFORM azora.refuse(409, 'no-second-factor',
            'No secret waits for its first code. Ask for one first.');
    END IF;

    IF NOT identity.totp_proved(caller.subject, code) THEN
        PERFORM azora.refuse(422, 'wrong-code',
            'The code is wrong or no longer valid. Look at the clock of the '
            'device that shows it.', '/code');
    END IF;

    UPDATE identity.totp AS t SET confirmed_at = now()
    WHERE t.account = caller.subject;

    -- How it began stays: unlink_login() ends what a provider opened.
    UPDATE identity.session AS s
    SET acr = '2',
        amr = array_remove(array_remove(s.amr, 'otp'), 'mfa') || '{otp,mfa}'
    WHERE s.id = caller.session;

    codes := identity.recovery_codes(caller.subject);

    PERFORM journal.append('user.second_factor_added', caller.subject,
        jsonb_build_object('account', caller.subject), caller.traceparent);
    PERFORM identity.send_mail('second-factor-added', caller.subject);

    moved := identity.end_sessions(caller, caller.subject,
        identity.other_sessions(caller.subject, caller.session),
        'second-factor');

    RETURN (200, json_build_object('recovery_codes', codes), moved,
            NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.confirm_totp(azora.caller, text) IS
    'POST /v1/auth/totp/confirm';

CREATE OR REPLACE FUNCTION identity.remove_totp(caller azora.caller)
RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity.step_up(caller);

    PERFORM 1 FROM identity.account AS a
    WHERE a.id = caller.subject
    FOR UPDATE;

    RETURN (204, NULL,
            identity.drop_second_factor(caller, caller.subject,
                                        'second-factor-removed'),
            NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.remove_totp(azora.caller) IS
    'DELETE /v1/auth/totp';

-- For somebody who lost it, and the recovery codes as well: the admin has seen
-- to it that it is them. All their sessions end.
CREATE OR REPLACE FUNCTION identity.remove_user_totp(
    caller  azora.caller,
    id      uuid
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held     identity.account;
BEGIN
    PERFORM identity.step_up(caller);

    IF remove_user_totp.id = caller.subject THEN
        PERFORM azora.refuse(409, 'own-account',
            'Turn off your own second factor with DELETE /v1/auth/totp.');
    END IF;

    held := identity.hold_user(remove_user_totp.id);

    RETURN (204, NULL,
            identity.drop_second_factor(caller, held.id,
                                        'second-factor-reset'),
            NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.remove_user_totp(azora.caller, uuid) IS
    'DELETE /v1/admin/users/{id}/totp';

-- The caller holds the account. mail is the template of the news to its owner;
-- the answer is what the generation of sessions moved to.
CREATE OR REPLACE FUNCTION identity.drop_second_factor(
    caller   azora.caller,
    account  uuid,
    mail     text
) RETURNS bigint
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF NOT identity.has_second_factor(drop_second_factor.account) THEN
        PERFORM azora.refuse(404, 'not-found',
            'The account has no second factor.');
    END IF;

    PERFORM identity.forget_second_factor(account);
    PERFORM journal.append('user.second_factor_removed', account,
        jsonb_build_object('account', account, 'by', caller.subject),
        caller.traceparent);
    PERFORM identity.send_mail(mail, account);

    RETURN identity.end_sessions(caller, account,
        identity.other_sessions(account,
            CASE account WHEN caller.subject THEN caller.session END),
        'second-factor');
END
$$;

COMMENT ON FUNCTION identity.drop_second_factor(azora.caller, uuid, text) IS
    'Turns a second factor off, with all that follows';

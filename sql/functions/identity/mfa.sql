-- A login that waits for its second factor: the refusal carries the token that
-- names it. An account has at most ten of them, the oldest give way.
CREATE OR REPLACE FUNCTION identity.challenge(
    account  uuid,
    amr      text[] DEFAULT '{pwd}'
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    token  text := replace(gen_random_uuid()::text || gen_random_uuid()::text,
                           '-', '');
    reply  azora.reply;
BEGIN
    DELETE FROM identity.challenge AS c
    WHERE c.hash = ANY (ARRAY(
        SELECT o.hash
        FROM identity.challenge AS o
        WHERE o.account = challenge.account
        ORDER BY o.created_at DESC, o.hash
        OFFSET 9));

    INSERT INTO identity.challenge (hash, account, amr, expires_at)
    VALUES (sha256(convert_to(token, 'UTF8')), challenge.account,
            challenge.amr, now() + interval '5 minutes');

    reply := azora.refusal(401, 'mfa-required',
        'The account has a second factor. Send this token and a code to '
        'POST /v1/auth/mfa.');
    reply.body := reply.body::jsonb || jsonb_build_object('members',
        jsonb_build_object('mfa_token', token, 'expires_in', 300));

    RETURN reply;
END
$$;

COMMENT ON FUNCTION identity.challenge(uuid, text[]) IS
    'Asks a login for its second factor';

-- What NGINX needs to check a code; no row for a challenge that is over.
CREATE OR REPLACE FUNCTION identity.challenge_secret(hash text)
RETURNS TABLE (account uuid, sealed text, tag text)
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT t.account, t.sealed, identity.totp_tag(t.sealed)
    FROM identity.challenge AS c
         JOIN identity.totp AS t ON t.account = c.account
    WHERE c.hash = decode(challenge_secret.hash, 'hex')
      AND c.expires_at > now() AND c.tries < 5
      AND t.confirmed_at IS NOT NULL;
END
$$;

COMMENT ON FUNCTION identity.challenge_secret(text) IS
    'Sealed one-time secret that a challenge is about';

-- The end of a login with two factors. mfa_token is the hex SHA-256 of the
-- client's token, code is NGINX's verdict, refresh what open_session() takes.
-- A challenge takes five codes; failures also count as those of the password
-- do, because a new challenge costs a thief of the password nothing. Refusals
-- are returned: what they count has to stay.
CREATE OR REPLACE FUNCTION identity.mfa(
    caller     azora.caller,
    mfa_token  text,
    code       text,
    refresh    text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    token    bytea := decode(mfa_token, 'hex');
    account  uuid;
    person   record;
    waiting  record;
    wait     int;
BEGIN
    SELECT c.account INTO account
    FROM identity.challenge AS c
    WHERE c.hash = token;

    SELECT a.email, a.roles INTO person
    FROM identity.account AS a
    WHERE a.id = account AND NOT a.locked AND a.erased_at IS NULL
    FOR SHARE;

    -- before the challenge: a login that makes one may end this
    wait := identity.guess_wait(person.email, caller.address);

    SELECT c.tries, c.amr INTO waiting
    FROM identity.challenge AS c
    WHERE c.hash = token AND c.expires_at > now() AND c.tries < 5
    FOR UPDATE;

    IF person.email IS NULL OR waiting.tries IS NULL THEN
        RETURN azora.refusal(401, 'challenge-over',
            'This login waits for no code any more. Log in again.');
    END IF;

    IF wait > 0 THEN
        RETURN azora.refusal(429, 'too-many-attempts', format(
            'Too many attempts failed. Try again in %s s.', wait));
    END IF;

    IF NOT (identity.totp_proved(account, code)
            OR identity.recovery_proved(account, code))
    THEN
        UPDATE identity.challenge AS c SET tries = c.tries + 1
        WHERE c.hash = token;

        PERFORM identity.login_failed(person.email, caller.address);
        PERFORM journal.append('user.second_factor_failed', account,
            jsonb_build_object('account', account), caller.traceparent);
        RETURN azora.refusal(401, 'wrong-code', format(
            'The code is wrong or was used. Tries left: %s.',
            4 - waiting.tries));
    END IF;

    DELETE FROM identity.challenge AS c WHERE c.hash = token;

    PERFORM identity.login_succeeded(person.email, caller.address);

    IF code LIKE 'recovery:%' THEN
        PERFORM journal.append('user.recovery_code_used', account,
            jsonb_build_object('account', account), caller.traceparent);
        PERFORM identity.send_mail('recovery-code-used', account);
    END IF;

    RETURN (200,
            identity.open_session(caller, account, person.roles,
                                  refresh::jsonb, '2',
                                  waiting.amr || '{otp,mfa}'),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.mfa(azora.caller, text, text, text) IS
    'POST /v1/auth/mfa';

-- A code goes to a number that somebody says is theirs. The caller holds the
-- account. Messages cost money and wake people: three an hour and ten a day
-- for an account, five a day for a number, whoever asks.
CREATE OR REPLACE FUNCTION identity.send_phone_code(
    account  uuid,
    phone    text
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    made  uuid := azora.uuid7();
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('identity.phone'),
                                  hashtext(send_phone_code.phone));

    IF (SELECT count(*) FILTER (WHERE c.created_at > now()
                                                     - interval '1 hour') >= 3
               OR count(*) >= 10
        FROM identity.phone_code AS c
        WHERE c.account = send_phone_code.account
          AND c.created_at > now() - interval '1 day')
       OR (SELECT count(*) >= 5 FROM identity.phone_code AS c
           WHERE c.phone = send_phone_code.phone
             AND c.created_at > now() - interval '1 day')
    THEN
        PERFORM azora.refuse(429, 'too-many-attempts',
            'Enough codes were sent. Try again later.');
    END IF;

    INSERT INTO identity.phone_code (id, account, phone)
    VALUES (made, send_phone_code.account, send_phone_code.phone);

    PERFORM journal.enqueue('mail', json_build_object(
        'template', 'phone-code',
        'phone_code', made,
        'message', azora.uuid7(),
        'at', azora.rfc3339(now())), send_phone_code.account);
END
$$;

COMMENT ON FUNCTION identity.send_phone_code(uuid, text) IS
    'Lets a code be sent to a phone number';

-- Where the code of a row goes; a message that is made again has another one.
CREATE OR REPLACE FUNCTION identity.phone_code_number(code uuid, hash text)
RETURNS text
LANGUAGE sql VOLATILE
AS $$
    UPDATE identity.phone_code AS c
    SET hash = decode(phone_code_number.hash, 'hex')
    WHERE c.id = phone_code_number.code AND c.used_at IS NULL
      AND c.account IS NOT NULL
      AND c.created_at > now() - interval '10 minutes'
    RETURNING c.phone
$$;

COMMENT ON FUNCTION identity.phone_code_number(uuid, text) IS
    'Keeps the hash of a code that is being sent';

-- code is the keyed hash (hex) that NGINX made of it. The newest counts, for
-- ten minutes and five tries; a wrong one is returned and not raised, because
-- its try has to stay counted. That another number took the place of one is
-- told by mail, as when one is removed: it may be who took the account over.
CREATE OR REPLACE FUNCTION identity.confirm_phone(
    caller  azora.caller,
    code    text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known     text;
    waiting   identity.phone_code;
    document  json;
BEGIN
    SELECT a.phone INTO known
    FROM identity.account AS a
    WHERE a.id = caller.subject AND a.erased_at IS NULL
    FOR UPDATE;

    SELECT c.* INTO waiting
    FROM identity.phone_code AS c
    WHERE c.account = caller.subject
    ORDER BY c.created_at DESC, c.id DESC
    LIMIT 1;

    IF waiting.used_at IS NOT NULL OR waiting.tries >= 5
       OR (waiting.created_at > now() - interval '10 minutes') IS NOT TRUE
    THEN
        PERFORM azora.refuse(409, 'wrong-state',
            'No code waits to be confirmed. Send the number again.');
    END IF;

    IF waiting.hash IS DISTINCT FROM decode(confirm_phone.code, 'hex') THEN
        UPDATE identity.phone_code AS c SET tries = c.tries + 1
        WHERE c.id = waiting.id;

        RETURN azora.refusal(422, 'wrong-code', format(
            'The code is wrong. Tries left: %s.', 4 - waiting.tries),
            '/code');
    END IF;

    UPDATE identity.phone_code AS c SET used_at = now()
    WHERE c.id = waiting.id;

    UPDATE identity.account AS a
    SET phone = waiting.phone, phone_verified_at = now()
    WHERE a.id = caller.subject
    RETURNING identity.account_document(a) INTO document;

    PERFORM journal.append('user.phone_verified', caller.subject,
        jsonb_build_object('account', caller.subject), caller.traceparent);
    PERFORM identity.send_mail(
        CASE WHEN known IS DISTINCT FROM waiting.phone AND known IS NOT NULL
             THEN 'phone-replaced' ELSE 'phone-changed' END, caller.subject);

    RETURN (200, document, NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.confirm_phone(azora.caller, text) IS
    'POST /v1/me/phone/confirm';

-- The news goes out by mail and not to the number, which may be another's now.
CREATE OR REPLACE FUNCTION identity.remove_phone(caller azora.caller)
RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity.step_up(caller);

    UPDATE identity.account AS a
    SET phone = NULL, phone_verified_at = NULL
    WHERE a.id = caller.subject AND a.phone IS NOT NULL;

    IF NOT FOUND THEN
        PERFORM azora.refuse(404, 'not-found',
            'The account has no phone number.');
    END IF;

    PERFORM journal.append('user.phone_removed', caller.subject,
        jsonb_build_object('account', caller.subject), caller.traceparent);
    PERFORM identity.send_mail('phone-removed', caller.subject);

    RETURN (204, NULL, NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.remove_phone(azora.caller) IS
    'DELETE /v1/me/phone';

-- Hands a mail to NGINX in the transaction of what it tells. Nothing of the
-- person is in the job but the id: address and words are looked up when the
-- mail is made.
CREATE OR REPLACE FUNCTION identity.send_mail(
    template  text,
    account   uuid,
    details   jsonb DEFAULT '{}'
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM journal.enqueue('mail',
        (jsonb_build_object(
            'template', send_mail.template,
            'account', send_mail.account,
            'message', azora.uuid7(),
            'at', azora.rfc3339(now())) || send_mail.details)::json,
        send_mail.account);
END
$$;

COMMENT ON FUNCTION identity.send_mail(text, uuid, jsonb) IS
    'Lets a mail be sent';

-- The same for an address that may be nobody's. Whether it is somebody's is
-- asked when the mail is made and not in the request, whose time would tell.
CREATE OR REPLACE FUNCTION identity.send_mail_to(template text, email text)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM journal.enqueue('mail', json_build_object(
        'template', send_mail_to.template,
        'email', lower(send_mail_to.email),
        'message', azora.uuid7(),
        'at', azora.rfc3339(now())));
END
$$;

COMMENT ON FUNCTION identity.send_mail_to(text, text) IS
    'Lets a mail be sent to whoever has an address';

-- Keeps the hash of a token that NGINX drew for a mail. False when the account
-- was sent enough of them within the hour, which is counted under the account's
-- lock: mails of one person are made by several workers at once.
CREATE OR REPLACE FUNCTION identity.keep_token(
    account  uuid,
    purpose  text,
    email    text,
    hash     text
) RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM FROM identity.account AS a
    WHERE a.id = keep_token.account
    FOR NO KEY UPDATE;

    IF (SELECT count(*) >= 5 FROM identity.one_time_token AS t
        WHERE t.account = keep_token.account
          AND t.purpose = keep_token.purpose
          AND t.created_at > now() - interval '1 hour')
    THEN
        RETURN false;
    END IF;

    INSERT INTO identity.one_time_token (hash, account, purpose, email,
                                         expires_at)
    VALUES (decode(keep_token.hash, 'hex'), keep_token.account,
            keep_token.purpose, keep_token.email, now() + interval '1 hour');

    RETURN true;
END
$$;

COMMENT ON FUNCTION identity.keep_token(uuid, text, text, text) IS
    'Keeps the hash of a token that is being sent';

-- What NGINX sends for a job; no row when nothing is to be sent. hash is that
-- of a token which NGINX drew for this message and puts in the place of
-- {token}, code_hash that of six digits for {code}. An address that begins with
-- + is a phone number.
CREATE OR REPLACE FUNCTION identity.compose_mail(
    payload    json,
    hash       text,
    code_hash  text
) RETURNS TABLE (address text, subject text, body text)
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    template  text := payload ->> 'template';
    person    record;
BEGIN
    IF payload ->> 'registration' IS NOT NULL THEN
        RETURN QUERY
        SELECT r.address, t.subject, t.body
        FROM identity.registration_mail(
                 (payload ->> 'registration')::uuid, hash) AS r,
             identity.mail_text(r.template, payload) AS t;
        RETURN;
    END IF;

    IF payload ->> 'phone_code' IS NOT NULL THEN
        RETURN QUERY
        SELECT n.number, '{service}',
               E'{code} is your code for {service}. It is good for ten '
               'minutes. Tell it to nobody.\n'
        FROM identity.phone_code_number(
                 (payload ->> 'phone_code')::uuid, code_hash) AS n (number)
        WHERE n.number IS NOT NULL;
        RETURN;
    END IF;

    SELECT a.id, a.email, a.email_verified_at, a.phone INTO person
    FROM identity.account AS a
    WHERE (a.id = (payload ->> 'account')::uuid
           OR a.email = payload ->> 'email')
      AND a.erased_at IS NULL AND NOT a.locked;

    IF person.id IS NULL
       OR template = 'email-verify' AND (
           person.email_verified_at IS NOT NULL
           OR NOT identity.keep_token(person.id, template, person.email,
                                      hash))
       OR template = 'password-reset'
          AND NOT identity.keep_token(person.id, template, person.email, hash)
    THEN
        RETURN;
    END IF;

    -- Whoever did not prove the address may never read it.
    IF person.email_verified_at IS NULL AND person.phone IS NOT NULL
       AND template NOT IN ('email-verify', 'password-reset',
                            'phone-replaced')
    THEN
        RETURN QUERY
        SELECT person.phone, '{service}',
               t.subject || E'. If it was not you, change your password: '
                            '{link}\n'
        FROM identity.mail_text(template, payload) AS t;
        RETURN;
    END IF;

    RETURN QUERY
    SELECT person.email, t.subject, t.body
    FROM identity.mail_text(template, payload) AS t;
END
$$;

COMMENT ON FUNCTION identity.compose_mail(json, text, text) IS
    'A mail to send';

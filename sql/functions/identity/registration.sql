-- Where addresses are proved, an account is made when its mail is answered and
-- not before. So a stranger gets the same answer in the same time for every
-- address, cannot log in to find out, and has no password on an account that
-- the owner of the address opens: that has the one of whoever asked for the
-- very mail that was answered.
CREATE OR REPLACE FUNCTION identity.begin_registration(
    email     text,
    password  text,
    name      text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    made  uuid := azora.uuid7();
BEGIN
    INSERT INTO identity.registration (id, email, password, name)
    VALUES (made, lower(begin_registration.email),
            begin_registration.password, begin_registration.name);

    PERFORM journal.enqueue('mail', json_build_object(
        'template', 'email-verify',
        'registration', made,
        'message', azora.uuid7(),
        'at', azora.rfc3339(now())));

    RETURN (202, json_build_object(), NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.begin_registration(text, text, text) IS
    'Keeps what an account will be made of';

-- What is sent to an address and what comes of it is decided one after the
-- other: mails are counted, and of two links that are followed one counts.
CREATE OR REPLACE FUNCTION identity.hold_address(email text)
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    SELECT pg_advisory_xact_lock(hashtext('identity.registration'),
                                 hashtext(hold_address.email))
$$;

COMMENT ON FUNCTION identity.hold_address(text) IS
    'Holds the registrations of an address';

-- The mail of a registration: a link, or the news that there is an account.
-- No row when nothing is to be sent; no address gets more than five an hour. A
-- plan of the time when nobody registered must not read all who do in a flood,
-- here and in finish_registration().
CREATE OR REPLACE FUNCTION identity.registration_mail(
    registration  uuid,
    hash          text
) RETURNS TABLE (address text, template text)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off
AS $$
DECLARE
    wanted  text;
    taken   boolean;
BEGIN
    SELECT r.email INTO wanted
    FROM identity.registration AS r
    WHERE r.id = registration_mail.registration
      AND r.created_at > now() - interval '1 hour';

    PERFORM identity.hold_address(wanted);

    IF wanted IS NULL
       OR (SELECT count(*) >= 5 FROM identity.registration AS r
           WHERE r.email = wanted AND r.id <> registration
             AND r.mailed_at > now() - interval '1 hour')
    THEN
        RETURN;
    END IF;

    taken := EXISTS (SELECT 1 FROM identity.account AS a
                     WHERE a.email = wanted);

    UPDATE identity.registration AS r
    SET mailed_at = now(),
        hash = CASE WHEN NOT taken
                    THEN decode(registration_mail.hash, 'hex') END,
        password = CASE WHEN NOT taken THEN r.password END
    WHERE r.id = registration_mail.registration;

    IF NOT FOUND THEN
        RETURN;
    END IF;

    IF NOT taken OR EXISTS (SELECT 1 FROM identity.account AS a
                            WHERE a.email = wanted AND NOT a.locked)
    THEN
        RETURN QUERY
        SELECT wanted, CASE WHEN taken THEN 'email-taken'
                            ELSE 'email-verify' END;
    END IF;
END
$$;

COMMENT ON FUNCTION identity.registration_mail(uuid, text) IS
    'What is sent to an address that an account is wanted for';

-- The token of the mail was shown: its registration becomes an account, with
-- the password of who asked for that mail. NULL for a token of no use; of two
-- registrations of an address the first that is answered counts.
CREATE OR REPLACE FUNCTION identity.finish_registration(
    caller  azora.caller,
    hash    bytea
) RETURNS text
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off
AS $$
DECLARE
    wanted  identity.registration;
    made    uuid := azora.uuid7();
BEGIN
    PERFORM identity.hold_address(r.email)
    FROM identity.registration AS r
    WHERE r.hash = finish_registration.hash;

    DELETE FROM identity.registration AS r
    WHERE r.hash = finish_registration.hash
      AND r.created_at > now() - interval '1 hour'
    RETURNING r.* INTO wanted;

    IF NOT FOUND THEN
        RETURN NULL;
    END IF;

    INSERT INTO identity.account (id, email, name, email_verified_at)
    VALUES (made, wanted.email, wanted.name, now())
    ON CONFLICT ON CONSTRAINT account_email_key DO NOTHING;

    IF NOT FOUND THEN
        RETURN NULL;
    END IF;

    INSERT INTO identity.credential (account, password)
    VALUES (made, wanted.password);

    UPDATE identity.registration AS r SET hash = NULL, password = NULL
    WHERE r.email = wanted.email;

    PERFORM journal.append('user.registered', made,
        jsonb_build_object('account', made), caller.traceparent);
    PERFORM journal.append('user.email_verified', made,
        jsonb_build_object('account', made), caller.traceparent);

    RETURN wanted.email;
END
$$;

COMMENT ON FUNCTION identity.finish_registration(azora.caller, bytea) IS
    'Makes the account of a proved address';

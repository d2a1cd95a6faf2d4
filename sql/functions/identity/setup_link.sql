-- A one-time token that makes its bearer an admin, for the first one and for
-- one who lost the way in. Only who can run SQL as the owner can make it:
-- scripts/azora admin. The database keeps its hash.
CREATE OR REPLACE FUNCTION identity.make_setup_link(email text)
RETURNS text
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    token  text := identity.random_token();
BEGIN
    DELETE FROM identity.setup_link AS l
    WHERE l.email = lower(make_setup_link.email)
       OR l.expires_at < now() - interval '1 day';

    INSERT INTO identity.setup_link (hash, email, expires_at)
    VALUES (sha256(convert_to(token, 'UTF8')), lower(make_setup_link.email),
            now() + interval '1 hour');

    RETURN token;
END
$$;

COMMENT ON FUNCTION identity.make_setup_link(text) IS
    'A token that makes its bearer an admin, once, within an hour';

-- 256 bits as base64url: three random UUIDs have 366 of them.
CREATE OR REPLACE FUNCTION identity.random_token()
RETURNS text
LANGUAGE sql VOLATILE
AS $$
    SELECT translate(encode(sha256(uuid_send(gen_random_uuid())
                                   || uuid_send(gen_random_uuid())
                                   || uuid_send(gen_random_uuid())),
                            'base64'),
                     '+/=', '-_')
$$;

COMMENT ON FUNCTION identity.random_token() IS 'An unguessable word';

-- Redeems it: the account is made, or gets this password and loses its
-- sessions, second factor, logins at providers and phone number, and is an
-- admin: somebody else may have opened it with this address.
CREATE OR REPLACE FUNCTION identity.set_up_admin(
    caller    azora.caller,
    token     text,
    password  text,
    name      text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    address  text;
    who      uuid;
    moved    bigint;
BEGIN
    PERFORM identity.hold_admins();

    UPDATE identity.setup_link AS l SET used_at = now()
    WHERE l.hash = sha256(convert_to(token, 'UTF8'))
      AND l.used_at IS NULL AND l.expires_at > now()
    RETURNING l.email INTO address;

    IF address IS NULL THEN
        PERFORM azora.refuse(403, 'invalid-setup-token',
            'The token is unknown, used or older than an hour.', '/token');
    END IF;

    INSERT INTO identity.account AS a (id, email, name, roles)
    VALUES (azora.uuid7(), address, set_up_admin.name, '{admin}')
    ON CONFLICT ON CONSTRAINT account_email_key DO UPDATE
    SET name = excluded.name, locked = false, lock_reason = NULL,
        phone = NULL, phone_verified_at = NULL,
        roles = ARRAY(SELECT DISTINCT r FROM unnest(a.roles || '{admin}')
                      AS r ORDER BY r)
    RETURNING a.id INTO who;

    INSERT INTO identity.credential AS c (account, password)
    VALUES (who, set_up_admin.password)
    ON CONFLICT ON CONSTRAINT credential_pkey DO UPDATE
    SET password = excluded.password, changed_at = now();

    PERFORM identity.forget_second_factor(who);
    PERFORM identity.forget_logins(caller, who);
    PERFORM identity.login_succeeded(address, caller.address);
    PERFORM journal.append('admin.set_up', who,
        jsonb_build_object('account', who), caller.traceparent);
    PERFORM identity.end_sessions(caller, who,
        identity.other_sessions(who, NULL), 'password');
    moved := identity.raise_epoch(who);

    RETURN (201,
            (SELECT identity.account_document(a) FROM identity.account AS a
             WHERE a.id = who),
            moved, '/v1/me')::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.set_up_admin(azora.caller, text, text, text) IS
    'POST /v1/auth/setup';

-- Ten new codes in the place of all former ones: 23 characters of base32, 115
-- bits of the system's random numbers each. Only their hashes are kept. The
-- alphabet has no i, l, o and u, which people misread.
CREATE OR REPLACE FUNCTION identity.recovery_codes(account uuid)
RETURNS json
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    codes   text[] := '{}';
    random  bytea;
    plain   text;
BEGIN
    DELETE FROM identity.recovery_code AS c
    WHERE c.account = recovery_codes.account;

    FOR n IN 1 .. 10 LOOP
        random := sha256(uuid_send(gen_random_uuid())
                         || uuid_send(gen_random_uuid()));

        SELECT string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz',
                                 get_byte(random, i) % 32 + 1, 1), ''
                          ORDER BY i)
        INTO plain
        FROM generate_series(0, 22) AS g (i);

        INSERT INTO identity.recovery_code (account, hash)
        VALUES (recovery_codes.account, sha256(convert_to(plain, 'UTF8')));

        codes := codes || rtrim(regexp_replace(plain, '(.{6})', '\1-', 'g'),
                                '-');
    END LOOP;

    RETURN array_to_json(codes);
END
$$;

COMMENT ON FUNCTION identity.recovery_codes(uuid) IS
    'Gives an account ten new recovery codes';

CREATE OR REPLACE FUNCTION identity.new_recovery_codes(caller azora.caller)
RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    codes    json;
BEGIN
    PERFORM identity.step_up(caller);

    PERFORM 1 FROM identity.account AS a
    WHERE a.id = caller.subject
    FOR UPDATE;

    IF NOT identity.has_second_factor(caller.subject) THEN
        PERFORM azora.refuse(409, 'no-second-factor',
            'Recovery codes stand in for a second factor, and the account '
            'has none.');
    END IF;

    codes := identity.recovery_codes(caller.subject);

    PERFORM journal.append('user.recovery_codes_made', caller.subject,
        jsonb_build_object('account', caller.subject), caller.traceparent);

    RETURN (200, json_build_object('recovery_codes', codes), NULL,
            NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.new_recovery_codes(azora.caller) IS
    'POST /v1/auth/recovery-codes';

-- 'recovery:<hex SHA-256>': each code once.
CREATE OR REPLACE FUNCTION identity.recovery_proved(
    account  uuid,
    verdict  text
) RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF verdict NOT LIKE 'recovery:%' THEN
        RETURN false;
    END IF;

    UPDATE identity.recovery_code AS c
    SET used_at = now()
    WHERE c.account = recovery_proved.account
      AND c.hash = decode(split_part(verdict, ':', 2), 'hex')
      AND c.used_at IS NULL;

    RETURN FOUND;
END
$$;

COMMENT ON FUNCTION identity.recovery_proved(uuid, text) IS
    'Whether a recovery code was right and unused';

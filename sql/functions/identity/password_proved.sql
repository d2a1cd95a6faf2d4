-- What NGINX's verdict about a password is worth: 'bad', 'ok:<tag>', or
-- 'rehash:<tag>:<PHC string of today's parameters>', which is stored. The tag
-- says which hash was verified: another one is there when the password was
-- changed meanwhile, and then the old one proves nothing. The caller holds the
-- account's row.
CREATE OR REPLACE FUNCTION identity.password_proved(
    account  uuid,
    verdict  text
) RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    found_tag  text;
BEGIN
    IF verdict NOT LIKE 'ok:%' AND verdict NOT LIKE 'rehash:%' THEN
        RETURN false;
    END IF;

    SELECT identity.credential_tag(c) INTO found_tag
    FROM identity.credential AS c
    WHERE c.account = password_proved.account
    FOR UPDATE;

    IF found_tag IS DISTINCT FROM split_part(verdict, ':', 2) THEN
        RETURN false;
    END IF;

    IF verdict LIKE 'rehash:%' THEN
        UPDATE identity.credential AS c
        SET password = substr(verdict, length('rehash::') + 17),
            changed_at = now()
        WHERE c.account = password_proved.account;
    END IF;

    RETURN true;
END
$$;

COMMENT ON FUNCTION identity.password_proved(uuid, text) IS
    'Whether a password was the right one';

-- Forgets the failures of an account after a success. As in login_wait(), no
-- plan may read all failures.
CREATE OR REPLACE FUNCTION identity.login_succeeded(email text, address text)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off
AS $$
BEGIN
    DELETE FROM identity.login_failure AS f
    WHERE f.principal = sha256(convert_to(lower(login_succeeded.email),
                                          'UTF8'))
      AND f.address IN ('', coalesce(login_succeeded.address, ''));
END
$$;

COMMENT ON FUNCTION identity.login_succeeded(text, text) IS
    'Forgets failed logins';

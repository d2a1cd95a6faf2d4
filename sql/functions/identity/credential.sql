-- What NGINX needs to verify a password on its threads; no row for an unknown
-- account, after the same work. wait_seconds is 0 unless too many attempts
-- failed. Nothing here counts: identity.password_proved() does, for known and
-- unknown accounts alike, and compares the tag, because the password may be
-- changed while it is verified.
CREATE OR REPLACE FUNCTION identity.credential(email text)
RETURNS TABLE (account uuid, password text, wait_seconds int, tag text)
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_one  identity.credential;
BEGIN
    SELECT c.* INTO found_one
    FROM identity.account AS a
         JOIN identity.credential AS c ON c.account = a.id
    WHERE a.email = lower(credential.email);

    account := found_one.account;
    password := found_one.password;
    -- how long it takes to answer must not tell that there is nobody
    found_one.password := coalesce(password, repeat('-', 97));
    tag := identity.credential_tag(found_one);
    wait_seconds := identity.login_wait(credential.email, NULL);

    IF account IS NOT NULL THEN
        RETURN NEXT;
    END IF;
END
$$;

COMMENT ON FUNCTION identity.credential(text) IS
    'Hash to verify a password against';

-- The same for the caller of a session, who does not send an address.
CREATE OR REPLACE FUNCTION identity.own_credential(owner uuid)
RETURNS TABLE (account uuid, password text, wait_seconds int, tag text,
               email text, name text)
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT a.id, c.password, identity.login_wait(a.email, NULL),
           identity.credential_tag(c), a.email, a.name
    FROM identity.account AS a
         JOIN identity.credential AS c ON c.account = a.id
    WHERE a.id = own_credential.owner;
END
$$;

COMMENT ON FUNCTION identity.own_credential(uuid) IS
    'Hash to verify one''s own password against';

-- Names a stored hash without telling it.
CREATE OR REPLACE FUNCTION identity.credential_tag(
    credential identity.credential
) RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT left(encode(sha256(convert_to(credential.password, 'UTF8')),
                       'hex'), 16)
$$;

COMMENT ON FUNCTION identity.credential_tag(identity.credential) IS
    'Which hash a verdict is about';

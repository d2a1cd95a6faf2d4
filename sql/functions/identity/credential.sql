-- What NGINX needs to verify a password on its threads; no row for an unknown
-- account. wait_seconds is 0 unless too many attempts failed. Nothing here
-- counts: identity.login() does, for known and unknown accounts alike.
CREATE OR REPLACE FUNCTION identity.credential(email text)
RETURNS TABLE (account uuid, password text, wait_seconds int)
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT a.id, c.password, identity.login_wait(credential.email, NULL)
    FROM identity.account AS a
         JOIN identity.credential AS c ON c.account = a.id
    WHERE a.email = lower(credential.email);
END
$$;

COMMENT ON FUNCTION identity.credential(text) IS
    'Hash to verify a password against';

-- After five failures in a row each further one doubles the wait, from 1 s to
-- 15 min, per account over all addresses and per account and address.
CREATE OR REPLACE FUNCTION identity.login_wait(email text, address text)
RETURNS int
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(
        max(ceil(extract(epoch FROM f.blocked_until - clock_timestamp()))),
        0)::int
    FROM identity.login_failure AS f
    WHERE f.principal = sha256(convert_to(lower(email), 'UTF8'))
      AND f.address IN ('', coalesce(login_wait.address, ''))
      AND f.blocked_until > clock_timestamp()
$$;

COMMENT ON FUNCTION identity.login_wait(text, text) IS
    'Seconds until another login may be tried';

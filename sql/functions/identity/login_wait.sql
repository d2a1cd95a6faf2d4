-- After five failures in a row each further one doubles the wait, from 1 s to
-- 15 min, per account over all addresses and per account and address. The wait
-- over all addresses is not for networks that the account logged in from
-- lately: guessing from elsewhere must not keep a person out at home. A plan of
-- the time when nobody failed must not read all failures of an attack.
CREATE OR REPLACE FUNCTION identity.login_wait(email text, address text)
RETURNS int
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
AS $$
BEGIN
    RETURN (
        SELECT coalesce(
            max(ceil(extract(epoch FROM f.blocked_until - clock_timestamp()))),
            0)::int
        FROM identity.login_failure AS f
        WHERE f.principal = sha256(convert_to(lower(email), 'UTF8'))
          AND f.address IN ('', coalesce(login_wait.address, ''))
          AND f.blocked_until > clock_timestamp()
          AND (f.address <> '' OR NOT identity.is_known_network(
                   login_wait.email, login_wait.address)));
END
$$;

COMMENT ON FUNCTION identity.login_wait(text, text) IS
    'Seconds until another login may be tried';

-- The same for who is about to be told whether a guess was right: those at one
-- account come one after the other, and each waits for what the ones before it
-- cost. Whoever holds the account as well holds that first.
CREATE OR REPLACE FUNCTION identity.guess_wait(email text, address text)
RETURNS int
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('identity.guess'),
                                  hashtext(lower(guess_wait.email)));

    RETURN identity.login_wait(guess_wait.email, guess_wait.address);
END
$$;

COMMENT ON FUNCTION identity.guess_wait(text, text) IS
    'Holds the guesses at an account, and says how long to wait';

CREATE OR REPLACE FUNCTION identity.is_known_network(
    email    text,
    address  text
) RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN EXISTS (
        SELECT 1
        FROM identity.account AS a
             JOIN identity.session AS s ON s.account = a.id
        WHERE a.email = lower(is_known_network.email)
          AND s.address_prefix
              = identity.address_prefix(is_known_network.address)
          AND s.created_at > now() - interval '30 days');
END
$$;

COMMENT ON FUNCTION identity.is_known_network(text, text) IS
    'Whether an account logged in from there lately';

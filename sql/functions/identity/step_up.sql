CREATE OR REPLACE FUNCTION identity.has_second_factor(account uuid)
RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN EXISTS (
        SELECT 1 FROM identity.totp AS t
        WHERE t.account = has_second_factor.account
          AND t.confirmed_at IS NOT NULL);
END
$$;

COMMENT ON FUNCTION identity.has_second_factor(uuid) IS
    'Whether logins of an account need a second factor';

-- What an act that is worth stealing a session for asks of the caller: a login
-- at most 15 minutes old, by both factors where the account has two. The
-- session's row is asked and not the token, which may be older than a second
-- factor. Refuses otherwise (401, RFC 9470).
CREATE OR REPLACE FUNCTION identity.step_up(caller azora.caller)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    needed  text := CASE WHEN identity.has_second_factor(caller.subject)
                         THEN '2' ELSE '1' END;
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM identity.session AS s
        WHERE s.id = caller.session AND s.account = caller.subject
          AND s.revoked_at IS NULL AND s.acr >= needed
          AND s.authenticated_at > now() - interval '15 minutes')
    THEN
        PERFORM azora.refuse(401, 'reauthentication-required',
            'Log in again first: this needs a login of the last 15 minutes'
            || CASE needed WHEN '2' THEN ' with both factors.' ELSE '.' END,
            NULL, json_build_object('acr_values', needed, 'max_age', 900));
    END IF;
END
$$;

COMMENT ON FUNCTION identity.step_up(azora.caller) IS
    'Refuses a caller whose login is too old or too weak';

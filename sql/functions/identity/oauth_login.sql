-- The end of a login at a provider. claims are those of an ID token that NGINX
-- has verified: iss, sub, email, email_verified, name. An account is found by
-- issuer and subject and by nothing else. Somebody new gets an account, unless
-- the address belongs to one: whoever has the address at the provider need not
-- be who has the account here. link is the session of who wants this login
-- linked to their account. The other parameters are NGINX's alone.
CREATE OR REPLACE FUNCTION identity.oauth_login(
    caller    azora.caller,
    provider  text,
    code      text,
    state     text,
    iss       text,
    error     text,
    claims    text,
    refresh   text,
    link      uuid
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    person   json := claims::json;
    known    uuid;
    account  record;
BEGIN
    -- Two first logins of one person come one after the other.
    PERFORM pg_advisory_xact_lock(hashtext('identity.external_login'),
        hashtext((person ->> 'iss') || ' ' || (person ->> 'sub')));

    SELECT e.account INTO known
    FROM identity.external_login AS e
    WHERE e.issuer = person ->> 'iss' AND e.subject = person ->> 'sub';

    IF link IS NOT NULL THEN
        PERFORM identity.link_login(caller, link, person, known);
        RETURN (204, NULL, NULL, NULL)::azora.reply;
    END IF;

    IF known IS NULL THEN
        known := identity.oauth_account(caller, person);
    END IF;

    SELECT a.id, a.roles INTO account
    FROM identity.account AS a
    WHERE a.id = known AND NOT a.locked AND a.erased_at IS NULL
    FOR SHARE;

    -- Who unlinks the login holds the account, and may have been first.
    IF NOT FOUND OR NOT EXISTS (
        SELECT 1 FROM identity.external_login AS e
        WHERE e.issuer = person ->> 'iss' AND e.subject = person ->> 'sub'
          AND e.account = known)
    THEN
        PERFORM azora.refuse(401, 'login-refused',
            'This account cannot be used.');
    END IF;

    IF identity.has_second_factor(account.id) THEN
        RETURN identity.challenge(account.id, '{oidc}');
    END IF;

    RETURN (200,
            identity.open_session(caller, account.id, account.roles,
                                  refresh::jsonb, '1', '{oidc}'),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.oauth_login(
    azora.caller, text, text, text, text, text, text, text, uuid) IS
    'GET /v1/auth/oauth/{provider}/callback';

-- An account without a password for somebody who comes from a provider.
CREATE OR REPLACE FUNCTION identity.oauth_account(
    caller  azora.caller,
    person  json
) RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    made     uuid := azora.uuid7();
    address  text := lower(person ->> 'email');
BEGIN
    IF address IS NULL
       OR (person -> 'email_verified')::text IS DISTINCT FROM 'true'
       OR address !~ '^[!-?A-~]{1,64}@[!-?A-~]+\.[!-?A-~]+$'
       OR length(address) > 254
    THEN
        PERFORM azora.refuse(401, 'login-refused',
            'The provider did not tell an e-mail address that is proved.');
    END IF;

    INSERT INTO identity.account AS a (id, email, name, email_verified_at)
    VALUES (made, address,
            coalesce(nullif(left(btrim(regexp_replace(
                person ->> 'name', '[[:cntrl:]]', ' ', 'g')), 100), ''),
                split_part(address, '@', 1)),
            now())
    ON CONFLICT ON CONSTRAINT account_email_key DO NOTHING;

    IF NOT FOUND THEN
        PERFORM azora.refuse(409, 'email-taken',
            'There is an account with this e-mail address, and it is not known '
            'to be yours. Log in to it, and link this login there.');
    END IF;

    INSERT INTO identity.external_login (issuer, subject, account)
    VALUES (person ->> 'iss', person ->> 'sub', made);

    PERFORM journal.append('user.registered', made,
        jsonb_build_object('account', made, 'issuer', person ->> 'iss'),
        caller.traceparent);

    RETURN made;
END
$$;

COMMENT ON FUNCTION identity.oauth_account(azora.caller, json) IS
    'Makes an account for who comes from a provider';

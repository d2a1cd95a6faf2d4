-- A login at a provider has a name here that says nothing of the person there.
CREATE OR REPLACE FUNCTION identity.login_id(issuer text, subject text)
RETURNS uuid
LANGUAGE sql STABLE
AS $$
    SELECT left(encode(sha256(convert_to(issuer || ' ' || subject, 'UTF8')),
                       'hex'), 32)::uuid
$$;

COMMENT ON FUNCTION identity.login_id(text, text) IS
    'Name of a login at a provider';

CREATE OR REPLACE FUNCTION identity.list_logins(caller azora.caller)
RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (200, json_build_object(
        'password', identity.has_password(caller.subject),
        'second_factor', identity.has_second_factor(caller.subject),
        'items', identity.external_logins(caller.subject)),
        NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.list_logins(azora.caller) IS
    'GET /v1/me/logins';

CREATE OR REPLACE FUNCTION identity.has_password(account uuid)
RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN EXISTS (SELECT 1 FROM identity.credential AS c
                   WHERE c.account = has_password.account);
END
$$;

COMMENT ON FUNCTION identity.has_password(uuid) IS
    'Whether an account has a password';

CREATE OR REPLACE FUNCTION identity.external_logins(account uuid)
RETURNS json
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT coalesce(json_agg(json_build_object(
            'id', identity.login_id(e.issuer, e.subject),
            'issuer', e.issuer,
            'subject', e.subject,
            'created_at', azora.rfc3339(e.created_at))
            ORDER BY e.created_at, e.issuer, e.subject), '[]')
        FROM identity.external_login AS e
        WHERE e.account = external_logins.account);
END
$$;

COMMENT ON FUNCTION identity.external_logins(uuid) IS
    'Logins of an account at providers';

-- Whether a login may be linked in this session; NGINX makes the way there.
CREATE OR REPLACE FUNCTION identity.begin_link(
    caller    azora.caller,
    provider  text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity.step_up(caller);

    RETURN (200, json_build_object(), NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.begin_link(azora.caller, text) IS
    'POST /v1/me/logins';

-- The browser is back. session is the one that began it, at most ten minutes
-- ago and recent then: that it still goes on is all there is left to ask. known
-- is the account that the login opens already. An account has at most ten.
CREATE OR REPLACE FUNCTION identity.link_login(
    caller   azora.caller,
    session  uuid,
    person   json,
    known    uuid
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    owner  uuid;
BEGIN
    SELECT a.id INTO owner
    FROM identity.account AS a
    WHERE a.id = (SELECT s.account FROM identity.session AS s
                  WHERE s.id = link_login.session)
      AND NOT a.locked AND a.erased_at IS NULL
    FOR UPDATE;

    IF owner IS NULL OR NOT EXISTS (
        SELECT 1 FROM identity.session AS s
        WHERE s.id = link_login.session AND s.revoked_at IS NULL
          AND s.expires_at > now())
    THEN
        PERFORM azora.refuse(401, 'login-refused',
            'The session that began this is over. Log in and begin again.');
    END IF;

    IF known = owner THEN
        RETURN;
    END IF;

    IF known IS NOT NULL THEN
        PERFORM azora.refuse(409, 'login-linked',
            'This login opens another account.');
    END IF;

    IF (SELECT count(*) >= 10 FROM identity.external_login AS e
        WHERE e.account = owner)
    THEN
        PERFORM azora.refuse(409, 'wrong-state',
            'Ten logins are linked: unlink one first.');
    END IF;

    INSERT INTO identity.external_login (issuer, subject, account)
    VALUES (person ->> 'iss', person ->> 'sub', owner);

    PERFORM journal.append('user.login_linked', owner,
        jsonb_build_object('account', owner, 'session', session,
                           'issuer', person ->> 'iss'),
        caller.traceparent);
    PERFORM identity.send_mail('login-linked', owner);
END
$$;

COMMENT ON FUNCTION identity.link_login(azora.caller, uuid, json, uuid) IS
    'Links a login at a provider to an account';

-- Other sessions that a provider opened end, whichever it was, and logins that
-- wait for a second factor: it may be unlinked because somebody else has it.
CREATE OR REPLACE FUNCTION identity.unlink_login(caller azora.caller, id uuid)
RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    issuer   text;
    moved    bigint;
BEGIN
    PERFORM identity.step_up(caller);

    PERFORM 1 FROM identity.account AS a
    WHERE a.id = caller.subject
    FOR UPDATE;

    DELETE FROM identity.external_login AS e
    WHERE e.account = caller.subject
      AND identity.login_id(e.issuer, e.subject) = unlink_login.id
    RETURNING e.issuer INTO issuer;

    IF NOT FOUND THEN
        PERFORM azora.refuse(404, 'not-found',
            'No such login is linked to the account.');
    END IF;

    IF NOT identity.has_password(caller.subject)
       AND NOT EXISTS (SELECT 1 FROM identity.external_login AS e
                       WHERE e.account = caller.subject)
    THEN
        PERFORM azora.refuse(409, 'last-login',
            'Nothing else logs in to the account.');
    END IF;

    DELETE FROM identity.challenge AS c
    WHERE c.account = caller.subject AND 'oidc' = ANY (c.amr);

    PERFORM journal.append('user.login_unlinked', caller.subject,
        jsonb_build_object('account', caller.subject, 'issuer', issuer),
        caller.traceparent);
    PERFORM identity.send_mail('login-unlinked', caller.subject);

    moved := identity.end_sessions(caller, caller.subject, ARRAY(
        SELECT s.id FROM identity.session AS s
        WHERE s.account = caller.subject AND s.revoked_at IS NULL
          AND s.id <> caller.session AND 'oidc' = ANY (s.amr)
        ORDER BY s.id), 'login-unlinked');

    RETURN (204, NULL, moved, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.unlink_login(azora.caller, uuid) IS
    'DELETE /v1/me/logins/{id}';

-- Logins of whoever had the account before its owner showed who they are.
CREATE OR REPLACE FUNCTION identity.forget_logins(
    caller   azora.caller,
    account  uuid
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    gone  text;
BEGIN
    FOR gone IN
        DELETE FROM identity.external_login AS e
        WHERE e.account = forget_logins.account
        RETURNING e.issuer
    LOOP
        PERFORM journal.append('user.login_unlinked', forget_logins.account,
            jsonb_build_object('account', forget_logins.account,
                               'issuer', gone), caller.traceparent);
    END LOOP;
END
$$;

COMMENT ON FUNCTION identity.forget_logins(azora.caller, uuid) IS
    'Unlinks all logins at providers from an account';

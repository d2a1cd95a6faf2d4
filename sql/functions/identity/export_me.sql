-- Everything that is kept about the caller (GDPR, articles 15 and 20). Secrets
-- are no data about a person: hashes of passwords and tokens stay here.
CREATE OR REPLACE FUNCTION identity.export_me(caller azora.caller)
RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    account  json;
BEGIN
    SELECT identity.account_document(a) INTO account
    FROM identity.account AS a
    WHERE a.id = caller.subject AND a.erased_at IS NULL;

    IF account IS NULL THEN
        RETURN azora.refusal(404, 'not-found', 'This account is gone.');
    END IF;

    RETURN (200, json_build_object(
        'exported_at', azora.rfc3339(now()),
        'account', account,
        'logins', identity.export_logins(caller.subject),
        'sessions', identity.export_sessions(caller.subject),
        'learning', learning.export_person(caller.subject),
        'wallets', ledger.export_person(caller.subject),
        'market', market.export_person(caller.subject),
        'decisions', court.export_person(caller.subject),
        'webhooks', journal.export_webhooks(caller.subject),
        'activity', journal.export_person(caller.subject)),
        NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.export_me(azora.caller) IS 'GET /v1/me/export';

CREATE OR REPLACE FUNCTION identity.export_sessions(account uuid)
RETURNS json
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT coalesce(json_agg(json_build_object(
            'id', s.id,
            'created_at', azora.rfc3339(s.created_at),
            'last_seen_at', azora.rfc3339(s.last_seen_at),
            'expires_at', azora.rfc3339(s.expires_at),
            'ended_at', azora.rfc3339(s.revoked_at),
            'end_reason', s.end_reason,
            'network', s.address_prefix,
            'agent', s.agent) ORDER BY s.id), '[]')
        FROM identity.session AS s
        WHERE s.account = export_sessions.account);
END
$$;

COMMENT ON FUNCTION identity.export_sessions(uuid) IS
    'Sessions of an account, also those that are over';

CREATE OR REPLACE FUNCTION identity.export_logins(account uuid)
RETURNS json
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN json_build_object(
        'password', identity.has_password(export_logins.account),
        'second_factor', identity.has_second_factor(export_logins.account),
        'providers', identity.external_logins(export_logins.account));
END
$$;

COMMENT ON FUNCTION identity.export_logins(uuid) IS
    'How an account logs in';

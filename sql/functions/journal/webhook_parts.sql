-- What the functions of webhooks share.

CREATE OR REPLACE FUNCTION journal.webhook_types(types jsonb)
RETURNS text[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    asked  text[];
    wrong  bigint;
BEGIN
    SELECT array_agg(t.value ORDER BY t.n),
           min(t.n) FILTER (WHERE t.value
                            !~ '^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)+$'
                            OR length(t.value) > 64)
    INTO asked, wrong
    FROM jsonb_array_elements_text(types) WITH ORDINALITY AS t (value, n);

    IF wrong IS NOT NULL THEN
        PERFORM azora.refuse(422, 'validation-failed',
            'This is not the type of an event, such as payment.completed.',
            '/types/' || wrong - 1);
    END IF;

    RETURN coalesce(asked, '{}');
END
$$;

COMMENT ON FUNCTION journal.webhook_types(jsonb) IS
    'Types of events, if they are such';

CREATE OR REPLACE FUNCTION journal.require_service(
    caller     azora.caller,
    everybody  boolean,
    types      text[]
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF NOT everybody THEN
        RETURN;
    END IF;

    IF NOT 'service' = ANY (caller.roles) THEN
        PERFORM azora.refuse(403, 'wrong-party',
            'Only services are told of events about everybody.',
            '/everybody');
    END IF;

    IF cardinality(types) = 0 THEN
        PERFORM azora.refuse(422, 'validation-failed',
            'Say which types of events about everybody.', '/types');
    END IF;
END
$$;

COMMENT ON FUNCTION journal.require_service(azora.caller, boolean, text[]) IS
    'Refuses people who ask for others'' events';

CREATE OR REPLACE FUNCTION journal.refuse_inactive()
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    SELECT azora.refuse(409, 'webhook-inactive',
                        'Make the webhook active first.')
$$;

COMMENT ON FUNCTION journal.refuse_inactive() IS
    'What is asked of an inactive webhook is refused';

CREATE OR REPLACE FUNCTION journal.has_webhook(caller azora.caller, id uuid)
RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN EXISTS (SELECT FROM journal.webhook AS w
                   WHERE w.id = has_webhook.id AND w.account = caller.subject);
END
$$;

COMMENT ON FUNCTION journal.has_webhook(azora.caller, uuid) IS
    'Whether it is one''s own';

CREATE OR REPLACE FUNCTION journal.lock_webhook(caller azora.caller, id uuid)
RETURNS journal.webhook
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    hook  journal.webhook;
BEGIN
    SELECT w.* INTO hook
    FROM journal.webhook AS w
    WHERE w.id = lock_webhook.id AND w.account = caller.subject
    FOR UPDATE;

    IF NOT FOUND THEN
        PERFORM azora.refuse(404, 'not-found', 'You have no such webhook.');
    END IF;

    RETURN hook;
END
$$;

COMMENT ON FUNCTION journal.lock_webhook(azora.caller, uuid) IS
    'One''s own webhook, locked';

CREATE OR REPLACE FUNCTION journal.note_webhook(
    type    text,
    caller  azora.caller,
    id      uuid
) RETURNS uuid
LANGUAGE sql VOLATILE
AS $$
    SELECT journal.append(type, caller.subject,
                          jsonb_build_object('account', caller.subject,
                                             'webhook', id),
                          caller.traceparent)
$$;

COMMENT ON FUNCTION journal.note_webhook(text, azora.caller, uuid) IS
    'Journals what happened to a webhook';

CREATE OR REPLACE FUNCTION journal.webhook_document(id uuid)
RETURNS json
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT json_build_object(
            'id', w.id,
            'url', w.url,
            'types', to_json(w.types),
            'everybody', w.everybody,
            'description', w.description,
            'active', w.active,
            'reason', w.reason,
            'created_at', azora.rfc3339(w.created_at),
            'old_secret_until', CASE WHEN w.old_until > now()
                                THEN azora.rfc3339(w.old_until) END)
        FROM journal.webhook AS w
        WHERE w.id = webhook_document.id);
END
$$;

COMMENT ON FUNCTION journal.webhook_document(uuid) IS 'A webhook';

-- For the two answers that show a secret: NGINX makes it out of these.
CREATE OR REPLACE FUNCTION journal.webhook_with_key(id uuid)
RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT (journal.webhook_document(w.id)::jsonb
            || jsonb_build_object('key', w.key, 'version', w.version))::json
    FROM journal.webhook AS w
    WHERE w.id = webhook_with_key.id
$$;

COMMENT ON FUNCTION journal.webhook_with_key(uuid) IS
    'A webhook and what its secret is made of';

-- The caller holds the webhook.
CREATE OR REPLACE FUNCTION journal.drop_webhook(id uuid)
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    DELETE FROM journal.job AS j
    WHERE j.kind = 'webhook' AND j.lane = drop_webhook.id;
    DELETE FROM journal.webhook AS w WHERE w.id = drop_webhook.id;
$$;

COMMENT ON FUNCTION journal.drop_webhook(uuid) IS
    'Forgets a webhook and all that was on its way to it';

-- For whoever erases an account. All are held before anything goes: what is
-- being put on its way to one comes first, and is dropped with it.
CREATE OR REPLACE FUNCTION journal.forget_webhooks(account uuid)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM FROM journal.webhook AS w
    WHERE w.account = forget_webhooks.account
    ORDER BY w.id
    FOR UPDATE;

    PERFORM journal.drop_webhook(w.id)
    FROM journal.webhook AS w
    WHERE w.account = forget_webhooks.account;
END
$$;

COMMENT ON FUNCTION journal.forget_webhooks(uuid) IS
    'Forgets all webhooks of an account';

CREATE OR REPLACE FUNCTION journal.export_webhooks(account uuid)
RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(json_agg(journal.webhook_document(w.id) ORDER BY w.id),
                    '[]')
    FROM journal.webhook AS w
    WHERE w.account = export_webhooks.account
$$;

COMMENT ON FUNCTION journal.export_webhooks(uuid) IS
    'The webhooks of an account';

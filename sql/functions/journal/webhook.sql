-- A new address that is told of events. NGINX gives the name of the key that
-- makes its secret, and adds the secret to the answer.
CREATE OR REPLACE FUNCTION journal.create_webhook(
    caller       azora.caller,
    url          text,
    types        jsonb,
    everybody    boolean,
    description  text,
    key          text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made   uuid := azora.uuid7();
    asked  text[] := journal.webhook_types(types);
    wide   boolean := coalesce(everybody, false);
BEGIN
    PERFORM journal.require_service(caller, wide, asked);

    -- one at a time for an account, so that the bound holds
    PERFORM pg_advisory_xact_lock(hashtextextended(
        'journal.webhook ' || caller.subject, 0));

    IF (SELECT count(*) FROM journal.webhook AS w
        WHERE w.account = caller.subject) >= 10
    THEN
        PERFORM azora.refuse(409, 'webhook-limit',
            'An account has at most ten webhooks.');
    END IF;

    INSERT INTO journal.webhook
        (id, account, url, types, everybody, description, key, since)
    SELECT made, caller.subject, create_webhook.url, asked, wide,
           create_webhook.description, create_webhook.key, t.size
    FROM journal.tree AS t;

    PERFORM journal.note_webhook('webhook.created', caller, made);

    RETURN (201, journal.webhook_with_key(made), NULL,
            '/v1/webhooks/' || made)::azora.reply;
END
$$;

COMMENT ON FUNCTION journal.create_webhook(azora.caller, text, jsonb, boolean,
                                           text, text) IS
    'POST /v1/webhooks';

CREATE OR REPLACE FUNCTION journal.list_webhooks(
    caller   azora.caller,
    "limit"  bigint,
    cursor   text
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    size    bigint := azora.page_size("limit");
    before  uuid := azora.cursor_uuid(cursor);
    items   json[];
    keys    text[];
BEGIN
    IF before IS NULL THEN
        RETURN azora.invalid_cursor();
    END IF;

    SELECT array_agg(journal.webhook_document(p.id) ORDER BY p.id DESC),
           array_agg(p.id::text ORDER BY p.id DESC)
    INTO items, keys
    FROM (SELECT w.id
          FROM journal.webhook AS w
          WHERE w.account = caller.subject AND w.id < before
          ORDER BY w.id DESC
          LIMIT size + 1) AS p;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION journal.list_webhooks(azora.caller, bigint, text) IS
    'GET /v1/webhooks';

CREATE OR REPLACE FUNCTION journal.get_webhook(
    caller  azora.caller,
    id      uuid
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT journal.has_webhook(caller, id) THEN
        RETURN azora.refusal(404, 'not-found', 'You have no such webhook.');
    END IF;

    RETURN (200, journal.webhook_document(id), NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION journal.get_webhook(azora.caller, uuid) IS
    'GET /v1/webhooks/{id}';

-- Whoever makes an inactive one active again is sent what waited meanwhile.
CREATE OR REPLACE FUNCTION journal.change_webhook(
    caller       azora.caller,
    id           uuid,
    url          text,
    types        jsonb,
    description  text,
    active       boolean
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hook  journal.webhook := journal.lock_webhook(caller, id);
BEGIN
    IF types IS NOT NULL THEN
        hook.types := journal.webhook_types(types);
    END IF;

    -- who is no service any more may still stop it
    IF types IS NOT NULL OR url IS NOT NULL OR active THEN
        PERFORM journal.require_service(caller, hook.everybody, hook.types);
    END IF;

    hook.active := coalesce(active, hook.active);

    UPDATE journal.webhook AS w
    SET url = coalesce(change_webhook.url, w.url),
        types = hook.types,
        description = coalesce(change_webhook.description, w.description),
        active = hook.active,
        reason = CASE WHEN hook.active THEN NULL
                 ELSE coalesce(w.reason, 'paused') END
    WHERE w.id = hook.id;

    PERFORM journal.note_webhook('webhook.changed', caller, hook.id);
    PERFORM journal.wake_jobs();

    RETURN (200, journal.webhook_document(hook.id), NULL,
            NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION journal.change_webhook(azora.caller, uuid, text, jsonb,
                                           text, boolean) IS
    'PATCH /v1/webhooks/{id}';

CREATE OR REPLACE FUNCTION journal.delete_webhook(
    caller  azora.caller,
    id      uuid
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hook  journal.webhook := journal.lock_webhook(caller, id);
BEGIN
    PERFORM journal.drop_webhook(hook.id);
    PERFORM journal.note_webhook('webhook.removed', caller, hook.id);

    RETURN (204, NULL, NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION journal.delete_webhook(azora.caller, uuid) IS
    'DELETE /v1/webhooks/{id}';

-- A new secret; the one before signs as well for another day.
CREATE OR REPLACE FUNCTION journal.rotate_webhook(
    caller  azora.caller,
    id      uuid,
    key     text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hook  journal.webhook := journal.lock_webhook(caller, id);
BEGIN
    UPDATE journal.webhook AS w
    SET old_key = w.key, old_until = now() + interval '24 hours',
        key = rotate_webhook.key, version = w.version + 1
    WHERE w.id = hook.id;

    PERFORM journal.note_webhook('webhook.rotated', caller, hook.id);

    RETURN (200, journal.webhook_with_key(hook.id), NULL,
            NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION journal.rotate_webhook(azora.caller, uuid, text) IS
    'POST /v1/webhooks/{id}/secret';

-- An event for this address alone, whatever types it asked for. It goes the
-- way of all events, so that a test tests that way.
CREATE OR REPLACE FUNCTION journal.test_webhook(
    caller  azora.caller,
    id      uuid
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hook  journal.webhook := journal.lock_webhook(caller, id);
BEGIN
    IF NOT hook.active THEN
        PERFORM journal.refuse_inactive();
    END IF;

    RETURN (202,
            json_build_object('event', journal.note_webhook(
                'webhook.tested', caller, hook.id)),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION journal.test_webhook(azora.caller, uuid) IS
    'POST /v1/webhooks/{id}/test';

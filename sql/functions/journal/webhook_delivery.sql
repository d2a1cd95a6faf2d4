-- What was sent to a webhook, or will be, newest first.
CREATE OR REPLACE FUNCTION journal.list_deliveries(
    caller   azora.caller,
    id       uuid,
    state    text,
    "limit"  bigint,
    cursor   text
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    size    bigint := azora.page_size("limit");
    place   text := azora.cursor_text(cursor, '^[0-9]{1,18}$',
                                      '9223372036854775807');
    items   json[];
    keys    text[];
BEGIN
    IF place IS NULL THEN
        RETURN azora.invalid_cursor();
    END IF;

    IF NOT journal.has_webhook(caller, id) THEN
        RETURN azora.refusal(404, 'not-found', 'You have no such webhook.');
    END IF;

    -- One half is empty, with a state or without; each walks its own index.
    SELECT array_agg(journal.delivery_document(p.entry, list_deliveries.id)
                     ORDER BY p.seq DESC),
           array_agg(p.seq::text ORDER BY p.seq DESC)
    INTO items, keys
    FROM ((SELECT d.entry, d.seq
           FROM journal.webhook_delivery AS d
           WHERE list_deliveries.state IS NULL
             AND d.webhook = list_deliveries.id AND d.seq < place::bigint
           ORDER BY d.seq DESC
           LIMIT size + 1)
          UNION ALL
          (SELECT d.entry, d.seq
           FROM journal.webhook_delivery AS d
           WHERE d.state = list_deliveries.state
             AND d.webhook = list_deliveries.id AND d.seq < place::bigint
           ORDER BY d.seq DESC
           LIMIT size + 1)) AS p;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION journal.list_deliveries(azora.caller, uuid, text, bigint,
                                            text) IS
    'GET /v1/webhooks/{id}/deliveries';

CREATE OR REPLACE FUNCTION journal.delivery_document(event uuid, hook uuid)
RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_build_object(
        'event', d.entry,
        'index', d.seq,
        'type', e.type,
        'state', d.state,
        'attempts', d.attempts,
        'history', d.history,
        'created_at', azora.rfc3339(d.created_at),
        'delivered_at', azora.rfc3339(d.delivered_at),
        'next_at', azora.rfc3339(j.not_before))
    FROM journal.webhook_delivery AS d
         JOIN journal.entry AS e ON e.id = d.entry
         LEFT JOIN journal.job AS j ON j.id = d.job AND j.state = 'waiting'
    WHERE d.webhook = hook AND d.entry = event
$$;

COMMENT ON FUNCTION journal.delivery_document(uuid, uuid) IS
    'An event on its way to a webhook';

-- Sends an event again, or now, whatever became of it before.
CREATE OR REPLACE FUNCTION journal.retry_delivery(
    caller  azora.caller,
    id      uuid,
    event   uuid
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    hook  journal.webhook := journal.lock_webhook(caller, id);
    item  journal.webhook_delivery;
BEGIN
    SELECT d.* INTO item
    FROM journal.webhook_delivery AS d
    WHERE d.webhook = hook.id AND d.entry = event;

    IF NOT FOUND THEN
        PERFORM journal.refuse_unsent();
    END IF;

    IF NOT hook.active THEN
        PERFORM journal.refuse_inactive();
    END IF;

    IF NOT EXISTS (SELECT FROM journal.payload AS p WHERE p.entry = event) THEN
        PERFORM azora.refuse(409, 'event-erased',
            'What the event told was erased for good.');
    END IF;

    IF item.job IS NULL THEN
        INSERT INTO journal.job
            (id, kind, lane, subject, payload, failures_max, not_before)
        SELECT azora.uuid7(), 'webhook', hook.id, p.subject, '{}', 10,
               clock_timestamp()
        FROM journal.payload AS p
        WHERE p.entry = event
        RETURNING job.id INTO item.job;

    ELSE
        -- one that is on its way at this moment comes first
        UPDATE journal.job AS j
        SET state = 'waiting', failures = 0, not_before = clock_timestamp()
        WHERE j.id = item.job
          AND (j.lease IS NULL OR j.not_before <= clock_timestamp());

        UPDATE journal.dead_letter AS l
        SET replayed_at = clock_timestamp(), replayed_by = caller.subject
        WHERE l.job = item.job AND l.replayed_at IS NULL;
    END IF;

    UPDATE journal.webhook_delivery AS d
    SET state = 'pending', job = item.job, delivered_at = NULL
    WHERE d.webhook = hook.id AND d.entry = event;

    -- too old, and forgotten meanwhile: a job without it would never end
    IF NOT FOUND THEN
        PERFORM journal.refuse_unsent();
    END IF;

    PERFORM journal.wake_jobs();

    RETURN (202, journal.delivery_document(event, hook.id), NULL,
            NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION journal.retry_delivery(azora.caller, uuid, uuid) IS
    'POST /v1/webhooks/{id}/deliveries/{event}/retry';

CREATE OR REPLACE FUNCTION journal.refuse_unsent()
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    SELECT azora.refuse(404, 'not-found',
                        'This event was not sent to this webhook.')
$$;

COMMENT ON FUNCTION journal.refuse_unsent() IS
    'What is asked of an event that is on no way is refused';

-- A task: forgets after thirty days what was sent, and what could not be. Jobs
-- go first, as whoever ends one holds it before its delivery; one that somebody
-- holds keeps its delivery until the next time.
CREATE OR REPLACE FUNCTION journal.purge_deliveries(batch int)
RETURNS int
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old  uuid[];
    n    int;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('journal.purge_deliveries'))
    THEN
        RETURN 0;
    END IF;

    SELECT array_agg(o.job) INTO old
    FROM (SELECT d.job
          FROM journal.webhook_delivery AS d
          WHERE d.created_at < now() - interval '30 days'
          ORDER BY d.created_at
          LIMIT batch) AS o;

    DELETE FROM journal.job AS j
    WHERE j.id = ANY (ARRAY(
        SELECT o.id FROM journal.job AS o
        WHERE o.id = ANY (old)
        FOR UPDATE SKIP LOCKED));

    DELETE FROM journal.webhook_delivery AS d
    WHERE d.ctid = ANY (ARRAY(
        SELECT o.ctid
        FROM journal.webhook_delivery AS o
        WHERE o.created_at < now() - interval '30 days'
          AND NOT EXISTS (SELECT FROM journal.job AS j WHERE j.id = o.job)
        ORDER BY o.created_at
        LIMIT batch
        FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;

    RETURN n;
END
$$;

COMMENT ON FUNCTION journal.purge_deliveries(int) IS
    'Forgets old deliveries to webhooks';

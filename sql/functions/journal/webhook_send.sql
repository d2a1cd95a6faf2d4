-- A task: puts numbered events on their way to those who asked for them, once
-- each and in the order of their numbers. A job is made for each. RETURNS how
-- many numbers it passed.
CREATE OR REPLACE FUNCTION journal.fan_out_webhooks(batch int)
RETURNS int
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    first   bigint;
    upto    bigint;
    moment  timestamptz;
    hooks   uuid[];
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('journal.fan_out_webhooks'))
    THEN
        RETURN 0;
    END IF;

    -- what happens while nobody asks for it is not looked at
    SELECT min(w.since) INTO first FROM journal.webhook AS w;

    IF first IS NULL THEN
        RETURN 0;
    END IF;

    -- after the lock: jobs of a later run are later ones
    moment := clock_timestamp();

    SELECT greatest(first, p.seq), least(t.size, greatest(first, p.seq) + batch)
    INTO first, upto
    FROM journal.webhook_place AS p CROSS JOIN journal.tree AS t;

    IF first >= upto THEN
        RETURN 0;
    END IF;

    UPDATE journal.webhook_place AS p SET seq = upto;

    -- one that is being removed at this moment has gone when it is held
    WITH matched AS MATERIALIZED (
        SELECT m.webhook, m.entry, m.seq, m.subject
        FROM journal.webhook_matches(first, upto) AS m
    ), held AS MATERIALIZED (
        SELECT w.id
        FROM journal.webhook AS w
        WHERE w.id IN (SELECT m.webhook FROM matched AS m)
        ORDER BY w.id
        FOR KEY SHARE
    ), asked AS MATERIALIZED (
        SELECT m.webhook, m.entry, m.seq, azora.uuid7() AS job, m.subject
        FROM matched AS m
             JOIN held AS h ON h.id = m.webhook
    ), queued AS (
        INSERT INTO journal.job
            (id, kind, lane, subject, payload, failures_max, not_before)
        SELECT a.job, 'webhook', a.webhook, a.subject, '{}', 10, moment
        FROM asked AS a
        ORDER BY a.seq
    ), noted AS (
        INSERT INTO journal.webhook_delivery (webhook, entry, seq, job)
        SELECT a.webhook, a.entry, a.seq, a.job
        FROM asked AS a
    )
    SELECT array_agg(DISTINCT a.webhook) INTO hooks FROM asked AS a;

    IF hooks IS NOT NULL THEN
        PERFORM journal.bound_webhooks(hooks);
        PERFORM journal.wake_jobs();
    END IF;

    RETURN upto - first;
END
$$;

COMMENT ON FUNCTION journal.fan_out_webhooks(int) IS
    'Puts events on their way to webhooks';

-- Which webhooks asked for which of the events of these numbers.
CREATE OR REPLACE FUNCTION journal.webhook_matches(
    first  bigint,
    upto   bigint
) RETURNS TABLE (webhook uuid, entry uuid, seq bigint, subject uuid)
LANGUAGE sql STABLE
AS $$
    WITH event AS MATERIALIZED (
        SELECT e.id, e.seq, e.type, p.subject, p.body
        FROM journal.entry AS e
             JOIN journal.payload AS p ON p.entry = e.id
        WHERE e.seq >= first AND e.seq < upto
    )
    SELECT w.id, v.id, v.seq, v.subject
    FROM event AS v
         JOIN journal.webhook AS w ON w.account = v.subject
    WHERE NOT w.everybody
      AND w.since <= v.seq
      AND CASE v.type
          WHEN 'webhook.tested' THEN w.id::text = v.body ->> 'webhook'
          ELSE w.active AND (w.types = '{}' OR v.type = ANY (w.types))
          END
      AND identity.has_role(w.account, NULL)
    UNION ALL
    SELECT w.id, v.id, v.seq, v.subject
    FROM event AS v
         JOIN journal.webhook AS w ON w.everybody AND w.active
    WHERE w.since <= v.seq
      AND CASE v.type
          WHEN 'webhook.tested' THEN w.id::text = v.body ->> 'webhook'
          ELSE v.type = ANY (w.types)
          END
      AND identity.has_role(w.account, 'service')
$$;

COMMENT ON FUNCTION journal.webhook_matches(bigint, bigint) IS
    'Who asked for which events';

-- An address that has not taken ten thousand events gets no more.
CREATE OR REPLACE FUNCTION journal.bound_webhooks(hooks uuid[])
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    SELECT journal.leave_webhook(h.id, 'overflow')
    FROM unnest(hooks) AS h (id)
    WHERE (SELECT count(*)
           FROM (SELECT FROM journal.job AS j
                 WHERE j.kind = 'webhook' AND j.lane = h.id
                   AND j.state = 'waiting'
                 LIMIT 10000) AS c) = 10000
$$;

COMMENT ON FUNCTION journal.bound_webhooks(uuid[]) IS
    'Stops webhooks that do not take what they asked for';

-- What is to be sent now: of each webhook that is active and whose owner still
-- may have it the jobs that are due first, as many as it has room for. Events
-- that were erased meanwhile go unsent. As in end_job(), a plan of the time when
-- the queue was empty must not read all of it later.
CREATE OR REPLACE FUNCTION journal.claim_webhooks(
    kind      text,
    batch     int,
    lease_ms  int
) RETURNS TABLE (id uuid, lease uuid, failures int, payload text)
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    due     uuid[];
    erased  uuid[];
BEGIN
    -- claims of two nodes must not both fill the room of one webhook
    PERFORM pg_advisory_xact_lock(hashtext('journal.claim_webhooks'));

    FOR turn IN 1 .. 20 LOOP
        due := journal.due_webhooks(batch);

        SELECT array_agg(d.job) INTO erased
        FROM journal.webhook_delivery AS d
        WHERE d.job = ANY (due)
          AND NOT EXISTS (SELECT FROM journal.payload AS p
                          WHERE p.entry = d.entry);

        EXIT WHEN erased IS NULL;

        DELETE FROM journal.job AS j WHERE j.id = ANY (erased);

        UPDATE journal.webhook_delivery AS d
        SET state = 'erased', job = NULL
        WHERE d.job = ANY (erased);
    END LOOP;

    RETURN QUERY
    UPDATE journal.job AS j
    SET lease = gen_random_uuid(),
        not_before = clock_timestamp() + interval '1 ms' * lease_ms
    FROM journal.webhook_delivery AS d
         JOIN journal.webhook AS w ON w.id = d.webhook
    WHERE j.id = ANY (due) AND d.job = j.id
      AND j.state = 'waiting' AND j.not_before <= clock_timestamp()
    RETURNING j.id, j.lease, j.failures, journal.webhook_order(w, d)::text;
END
$$;

COMMENT ON FUNCTION journal.claim_webhooks(text, int, int) IS
    'Events that are to be sent now';

-- Webhooks that have something waiting are found one after another in the
-- index, however much that is. Four events at a time are sent to each, and one
-- while it fails, twelve to those of an account: who does not answer must not
-- hold what others wait for. The first of each comes before the second of any.
CREATE OR REPLACE FUNCTION journal.due_webhooks(batch int)
RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN (
        WITH RECURSIVE waiting AS (
            (SELECT j.lane
             FROM journal.job AS j
             WHERE j.kind = 'webhook' AND j.state = 'waiting'
               AND j.lane IS NOT NULL
             ORDER BY j.lane
             LIMIT 1)
            UNION ALL
            SELECT (SELECT j.lane
                    FROM journal.job AS j
                    WHERE j.kind = 'webhook' AND j.state = 'waiting'
                      AND j.lane > l.lane
                    ORDER BY j.lane
                    LIMIT 1)
            FROM waiting AS l
            WHERE l.lane IS NOT NULL
        ), busy AS MATERIALIZED (
            SELECT w.id, w.account, count(*) AS n
            FROM journal.job AS j
                 JOIN journal.webhook AS w ON w.id = j.lane
            WHERE j.kind = 'webhook' AND j.lease IS NOT NULL
              AND j.not_before > clock_timestamp()
            GROUP BY w.id
        ), free AS (
            SELECT w.id, w.account, coalesce(b.n, 0) AS busy,
                   CASE WHEN w.failing THEN 1 ELSE 4 END
                   - coalesce(b.n, 0) AS room
            FROM waiting AS l
                 JOIN journal.webhook AS w ON w.id = l.lane AND w.active
                 LEFT JOIN busy AS b ON b.id = w.id
            WHERE identity.has_role(w.account, CASE WHEN w.everybody
                                               THEN 'service' END)
        ), next AS (
            SELECT h.id, h.not_before, h.number, f.account,
                   f.busy + row_number() OVER (
                       PARTITION BY f.id
                       ORDER BY h.not_before, h.number) AS place
            FROM free AS f
                 CROSS JOIN LATERAL (
                     SELECT j.id, j.not_before, j.number
                     FROM journal.job AS j
                     WHERE j.kind = 'webhook' AND j.lane = f.id
                       AND j.state = 'waiting'
                       AND j.not_before <= clock_timestamp()
                     ORDER BY j.not_before, j.number
                     LIMIT greatest(f.room, 0)) AS h
        ), fair AS (
            SELECT n.id, n.place, n.not_before, n.number,
                   row_number() OVER (
                       PARTITION BY n.account
                       ORDER BY n.place, n.not_before, n.number)
                   + coalesce((SELECT sum(b.n)
                               FROM busy AS b
                               WHERE b.account = n.account), 0) AS of_account
            FROM next AS n
        )
        SELECT coalesce(array_agg(d.id), '{}')
        FROM (SELECT f.id
              FROM fair AS f
              WHERE f.of_account <= 12
              ORDER BY f.place, f.not_before, f.number
              LIMIT batch) AS d);
END
$$;

COMMENT ON FUNCTION journal.due_webhooks(int) IS
    'The next jobs of each webhook that has room';

-- What NGINX needs to send an event. The message's id is the same at every
-- attempt and names event and webhook; the origin of the log is the source.
CREATE OR REPLACE FUNCTION journal.webhook_order(
    hook      journal.webhook,
    delivery  journal.webhook_delivery
) RETURNS json
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT json_build_object(
            'webhook', hook.id,
            'url', hook.url,
            'message', 'evt_' || replace(delivery.entry || '_' || hook.id, '-',
                                         ''),
            'key', hook.key,
            'version', hook.version,
            'old_key', CASE WHEN hook.old_until > now() THEN hook.old_key END,
            'body', journal.event_text(split_part(t.checkpoint, E'\n', 1),
                                       e.seq, e.id, e.type, p.created_at,
                                       p.subject, p.body, p.traceparent))
        FROM journal.entry AS e
             JOIN journal.payload AS p ON p.entry = e.id
             CROSS JOIN journal.tree AS t
        WHERE e.id = delivery.entry);
END
$$;

COMMENT ON FUNCTION journal.webhook_order(journal.webhook,
                                          journal.webhook_delivery) IS
    'What is to be sent, where to and signed with what';

-- What became of an attempt: as journal.end_job, and noted with the event.
CREATE OR REPLACE FUNCTION journal.end_webhook(
    id           uuid,
    lease        uuid,
    outcome      text,
    error        text,
    code         int,
    retry_after  int,
    took_ms      int
) RETURNS text
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    item    journal.job;
    became  text := 'done';
BEGIN
    -- always the webhook, the job, the delivery, so that nobody waits in a ring
    PERFORM FROM journal.webhook AS w
    WHERE w.id = (SELECT j.lane FROM journal.job AS j
                  WHERE j.id = end_webhook.id)
    FOR NO KEY UPDATE;

    item := journal.lock_job(id, lease);

    IF item.id IS NULL THEN
        RETURN 'lost';
    END IF;

    IF outcome <> 'done' THEN
        became := journal.fail_job(item, error, false,
            greatest(journal.webhook_delay(item.failures),
                     interval '1 second' * least(retry_after, 86400)));
    END IF;

    UPDATE journal.webhook_delivery AS d
    SET attempts = d.attempts + 1,
        state = CASE became WHEN 'done' THEN 'delivered'
                            WHEN 'dead' THEN 'failed' ELSE 'pending' END,
        job = CASE WHEN became <> 'done' THEN d.job END,
        delivered_at = CASE became WHEN 'done' THEN clock_timestamp() END,
        history = jsonb_path_query_array(
            d.history || jsonb_build_object(
                'at', azora.rfc3339(clock_timestamp()), 'outcome', error,
                'status', nullif(code, 0), 'took_ms', took_ms),
            '$[last - 19 to last]')
    WHERE d.job = item.id;

    UPDATE journal.webhook AS w
    SET failing = NOT w.failing
    WHERE w.id = item.lane AND w.failing = (became = 'done');

    IF became = 'done' THEN
        DELETE FROM journal.job AS j WHERE j.id = item.id;
    END IF;

    IF code = 410 THEN
        PERFORM journal.leave_webhook(item.lane, 'gone');
    END IF;

    RETURN became;
END
$$;

COMMENT ON FUNCTION journal.end_webhook(uuid, uuid, text, text, int, int,
                                        int) IS
    'What became of an attempt to send an event';

-- Sends nothing any more until its owner wants it again.
CREATE OR REPLACE FUNCTION journal.leave_webhook(id uuid, reason text)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    owner  uuid;
BEGIN
    UPDATE journal.webhook AS w
    SET active = false, reason = leave_webhook.reason
    WHERE w.id = leave_webhook.id AND w.active
    RETURNING w.account INTO owner;

    IF FOUND THEN
        PERFORM journal.append('webhook.disabled', owner,
            jsonb_build_object('account', owner, 'webhook', id,
                               'reason', reason));
    END IF;
END
$$;

COMMENT ON FUNCTION journal.leave_webhook(uuid, text) IS
    'Sends nothing to an address for a reason of its own';

-- The schedule of Standard Webhooks: ten attempts within 75 hours, each wait
-- longer by up to a tenth, so that what failed together comes back apart.
CREATE OR REPLACE FUNCTION journal.webhook_delay(failures int)
RETURNS interval
LANGUAGE sql VOLATILE
AS $$
    SELECT (ARRAY['5 seconds', '5 minutes', '30 minutes', '2 hours',
                  '5 hours', '10 hours', '14 hours', '20 hours', '24 hours'
                 ]::interval[])[least(failures, 8) + 1]
           * (1 + random() / 10)
$$;

COMMENT ON FUNCTION journal.webhook_delay(int) IS
    'How long to wait after a failure';

-- Hands work to NGINX in the transaction that needs it done: kind says which
-- handler. It is done at least once. The payload is gone with the job.
CREATE OR REPLACE FUNCTION journal.enqueue(
    kind          text,
    payload       json,
    subject       uuid DEFAULT NULL,
    lane          uuid DEFAULT NULL,
    failures_max  int DEFAULT 3
) RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    made  uuid := azora.uuid7();
BEGIN
    INSERT INTO journal.job (id, kind, lane, subject, payload, failures_max)
    VALUES (made, enqueue.kind, enqueue.lane, enqueue.subject,
            enqueue.payload, enqueue.failures_max);

    PERFORM journal.wake_jobs();

    RETURN made;
END
$$;

COMMENT ON FUNCTION journal.enqueue(text, json, uuid, uuid, int) IS
    'Hands work to NGINX';

CREATE OR REPLACE FUNCTION journal.wake_jobs()
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    SELECT pg_notify('azora_generation',
                     'jobs ' || nextval('journal.job_wake'))
$$;

COMMENT ON FUNCTION journal.wake_jobs() IS 'Tells every node of new jobs';

-- Jobs of a kind that are due, oldest first, for as long as the lease: whoever
-- does not report until then has died, which is no failure, and another one
-- claims them.
CREATE OR REPLACE FUNCTION journal.claim_jobs(
    kind      text,
    batch     int,
    lease_ms  int
) RETURNS TABLE (id uuid, lease uuid, failures int, payload text)
LANGUAGE sql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH due AS MATERIALIZED (
        SELECT j.id
        FROM journal.job AS j
        WHERE j.kind = claim_jobs.kind
          AND j.lane IS NULL
          AND j.state = 'waiting'
          AND j.not_before <= now()
        ORDER BY j.not_before, j.number
        LIMIT batch
        FOR UPDATE SKIP LOCKED
    )
    UPDATE journal.job AS j
    SET lease = gen_random_uuid(),
        not_before = now() + interval '1 ms' * lease_ms
    FROM due AS d
    WHERE j.id = d.id
    RETURNING j.id, j.lease, j.failures, j.payload::text
$$;

COMMENT ON FUNCTION journal.claim_jobs(text, int, int) IS
    'Work that is due, for some time';

-- The job that somebody works on; NULL when the lease is not the last one.
CREATE OR REPLACE FUNCTION journal.lock_job(id uuid, lease uuid)
RETURNS journal.job
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    item  journal.job;
BEGIN
    SELECT j.* INTO item
    FROM journal.job AS j
    WHERE j.id = lock_job.id AND j.lease = lock_job.lease
    FOR UPDATE;

    RETURN item;
END
$$;

COMMENT ON FUNCTION journal.lock_job(uuid, uuid) IS
    'A job under a lease, locked';

-- What became of a job. done: it goes. failed: again later, not before
-- retry_after seconds, or never after too many. rejected: never. The answer
-- is done, waiting or dead; lost: the lease had ended, so this does not count.
-- A plan of the time when the queue was empty must not read all of it later.
CREATE OR REPLACE FUNCTION journal.end_job(
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
    item  journal.job;
BEGIN
    item := journal.lock_job(id, lease);

    IF item.id IS NULL THEN
        RETURN 'lost';
    END IF;

    IF outcome = 'done' THEN
        DELETE FROM journal.job AS j WHERE j.id = end_job.id;
        RETURN 'done';
    END IF;

    RETURN journal.fail_job(
        item, error, outcome = 'rejected',
        greatest(journal.job_delay(item.failures),
                 interval '1 second' * least(retry_after, 86400)));
END
$$;

COMMENT ON FUNCTION journal.end_job(uuid, uuid, text, text, int, int, int) IS
    'What became of a job';

-- Full jitter: what failed together does not come back together.
CREATE OR REPLACE FUNCTION journal.job_delay(failures int)
RETURNS interval
LANGUAGE sql VOLATILE
AS $$
    SELECT interval '1 second'
           + random() * least(interval '1 hour',
                              interval '20 seconds' * 4 ^ failures)
$$;

COMMENT ON FUNCTION journal.job_delay(int) IS
    'How long to wait after a failure';

-- Counts a failure of a job that the caller has locked.
CREATE OR REPLACE FUNCTION journal.fail_job(
    item   journal.job,
    error  text,
    final  boolean,
    delay  interval
) RETURNS text
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    total   int := least(item.failures + 1, item.failures_max);
    become  text := CASE WHEN final OR total = item.failures_max
                    THEN 'dead' ELSE 'waiting' END;
BEGIN
    UPDATE journal.job AS j
    SET failures = total, state = become, lease = NULL,
        not_before = clock_timestamp() + delay,
        last_error = left(error, 1000)
    WHERE j.id = item.id;

    IF become = 'dead' THEN
        INSERT INTO journal.dead_letter (id, consumer, job, failures, error)
        VALUES (azora.uuid7(), item.kind, item.id, total, left(error, 1000));
    END IF;

    RETURN become;
END
$$;

COMMENT ON FUNCTION journal.fail_job(journal.job, text, boolean, interval) IS
    'Puts a job off after a failure, or lays it aside';

-- For metrics: how many of each kind and state, and as consumers the events
-- that consumers inside the system have not handled; counted up to a bound,
-- because every node asks all the time. The letters are all that ever died.
CREATE OR REPLACE FUNCTION journal.count_jobs()
RETURNS TABLE (queue text, state text, n bigint)
LANGUAGE sql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT j.kind, j.state, count(*)
    FROM (SELECT i.kind,
                 CASE WHEN i.lease IS NOT NULL AND i.not_before > now()
                      THEN 'running' ELSE i.state END AS state
          FROM journal.job AS i LIMIT 100000) AS j
    GROUP BY j.kind, j.state
    UNION ALL
    SELECT 'consumers', d.state, count(*)
    FROM (SELECT i.state FROM journal.delivery AS i LIMIT 100000) AS d
    GROUP BY d.state
    UNION ALL
    SELECT 'letters', 'dead', CASE WHEN s.is_called THEN s.last_value ELSE 0 END
    FROM journal.dead_letter_number_seq AS s
$$;

COMMENT ON FUNCTION journal.count_jobs() IS 'Jobs and events that wait';

-- A task: forgets letters that were replayed, and jobs that are dead, after
-- ninety days. RETURNS how many.
CREATE OR REPLACE FUNCTION journal.purge_jobs(batch int)
RETURNS int
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    n     int;
    gone  int;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('journal.purge_jobs')) THEN
        RETURN 0;
    END IF;

    DELETE FROM journal.dead_letter AS l
    WHERE l.id IN (SELECT o.id
                   FROM journal.dead_letter AS o
                   WHERE o.replayed_at < now() - interval '90 days'
                   LIMIT batch);
    GET DIAGNOSTICS n = ROW_COUNT;

    DELETE FROM journal.job AS j
    WHERE j.id IN (SELECT l.job
                   FROM journal.dead_letter AS l
                   WHERE l.died_at < now() - interval '90 days'
                     AND l.job IS NOT NULL
                   LIMIT batch)
      AND j.state = 'dead';
    GET DIAGNOSTICS gone = ROW_COUNT;

    RETURN n + gone;
END
$$;

COMMENT ON FUNCTION journal.purge_jobs(int) IS 'Forgets old dead letters';

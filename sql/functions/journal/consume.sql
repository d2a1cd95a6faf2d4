-- What a consumer has to handle, oldest first. The rows are locked until the
-- consumer's transaction ends, so that two of them share the work.
CREATE OR REPLACE FUNCTION journal.due(consumer text, batch int)
RETURNS TABLE (entry uuid, type text, body json, subject uuid,
               traceparent text)
LANGUAGE sql VOLATILE
AS $$
    SELECT d.entry, e.type, p.body, p.subject, p.traceparent
    FROM journal.delivery AS d
         JOIN journal.entry AS e ON e.id = d.entry
         JOIN journal.payload AS p ON p.entry = d.entry
    WHERE d.consumer = due.consumer
      AND d.state = 'waiting'
      AND d.not_before <= now()
    ORDER BY d.not_before, d.entry
    LIMIT batch
    FOR UPDATE OF d SKIP LOCKED
$$;

COMMENT ON FUNCTION journal.due(text, int) IS
    'Events a consumer has to handle now';

-- Marks an event as handled, in the transaction of its effect. False when it
-- was handled before: then the effect must not be repeated. A plan of the time
-- when nothing waited must not read all that waits later.
CREATE OR REPLACE FUNCTION journal.handled(consumer text, entry uuid)
RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off
AS $$
DECLARE
    fresh  boolean;
BEGIN
    INSERT INTO journal.inbox (consumer, entry)
    VALUES (handled.consumer, handled.entry)
    ON CONFLICT DO NOTHING;

    fresh := FOUND;

    DELETE FROM journal.delivery AS d
    WHERE d.consumer = handled.consumer AND d.entry = handled.entry;

    RETURN fresh;
END
$$;

COMMENT ON FUNCTION journal.handled(text, uuid) IS
    'Marks an event as handled, once';

-- Counts a failure: again after 1, then 2 minutes and up to a fifth more, so
-- that what failed together does not come back together. The third is final.
CREATE OR REPLACE FUNCTION journal.failed(
    consumer  text,
    entry     uuid,
    error     text
) RETURNS void
LANGUAGE sql VOLATILE
AS $$
    WITH put_off AS (
        UPDATE journal.delivery AS d
        SET failures = d.failures + 1,
            state = CASE WHEN d.failures >= 2 THEN 'dead' ELSE 'waiting' END,
            not_before = now() + interval '1 minute' * 2 ^ d.failures
                         * (1 + random() / 5),
            last_error = left(error, 1000)
        WHERE d.consumer = failed.consumer
          AND d.entry = failed.entry
          AND d.state = 'waiting'
        RETURNING d.consumer, d.entry, d.state, d.failures, d.last_error
    )
    INSERT INTO journal.dead_letter (id, consumer, entry, failures, error)
    SELECT azora.uuid7(), p.consumer, p.entry, p.failures, p.last_error
    FROM put_off AS p
    WHERE p.state = 'dead'
$$;

COMMENT ON FUNCTION journal.failed(text, uuid, text) IS
    'Puts an event off after a failure, or lays it aside';

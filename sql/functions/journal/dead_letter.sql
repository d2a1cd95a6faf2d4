-- What was given up and not begun anew, newest first.
CREATE OR REPLACE FUNCTION journal.list_dead_letters(
    caller    azora.caller,
    consumer  text,
    "limit"   bigint,
    cursor    text
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

    SELECT array_agg(journal.dead_letter_document(p.id) ORDER BY p.id DESC),
           array_agg(p.id::text ORDER BY p.id DESC)
    INTO items, keys
    FROM (SELECT l.id
          FROM journal.dead_letter AS l
          WHERE l.replayed_at IS NULL
            AND l.id < before
            AND (list_dead_letters.consumer IS NULL
                 OR l.consumer = list_dead_letters.consumer)
          ORDER BY l.id DESC
          LIMIT size + 1) AS p;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION journal.list_dead_letters(azora.caller, text, bigint,
                                              text) IS
    'GET /v1/admin/dead-letters';

CREATE OR REPLACE FUNCTION journal.dead_letter_document(id uuid)
RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_build_object(
        'id', l.id,
        'consumer', l.consumer,
        'source', CASE WHEN l.job IS NULL THEN 'event' ELSE 'job' END,
        'event', l.entry,
        'type', (SELECT e.type FROM journal.entry AS e WHERE e.id = l.entry),
        'failures', l.failures,
        'error', l.error,
        'died_at', azora.rfc3339(l.died_at),
        'replayed_at', azora.rfc3339(l.replayed_at))
    FROM journal.dead_letter AS l
    WHERE l.id = dead_letter_document.id
$$;

COMMENT ON FUNCTION journal.dead_letter_document(uuid) IS 'A dead letter';

-- Begins anew with what was given up: all its attempts are before it again.
CREATE OR REPLACE FUNCTION journal.replay_dead_letter(
    caller  azora.caller,
    id      uuid
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    letter  journal.dead_letter;
BEGIN
    -- the job first: who drops it drops its letters
    PERFORM FROM journal.job AS j
    WHERE j.id = (SELECT l.job FROM journal.dead_letter AS l
                  WHERE l.id = replay_dead_letter.id)
    FOR UPDATE;

    SELECT l.* INTO letter
    FROM journal.dead_letter AS l
    WHERE l.id = replay_dead_letter.id
    FOR UPDATE;

    IF NOT FOUND THEN
        PERFORM azora.refuse(404, 'not-found', 'There is no such letter.');
    END IF;

    IF letter.replayed_at IS NOT NULL THEN
        PERFORM azora.refuse(409, 'already-replayed',
            'It was replayed already; if it failed again there is a new '
            || 'letter.');
    END IF;

    UPDATE journal.dead_letter AS l
    SET replayed_at = clock_timestamp(), replayed_by = caller.subject
    WHERE l.id = letter.id;

    PERFORM journal.revive(letter);
    PERFORM journal.append('letter.replayed', caller.subject,
        jsonb_build_object('account', caller.subject, 'letter', letter.id,
                           'consumer', letter.consumer),
        caller.traceparent);

    RETURN (200, journal.dead_letter_document(letter.id), NULL,
            NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION journal.replay_dead_letter(azora.caller, uuid) IS
    'POST /v1/admin/dead-letters/{id}/replay';

CREATE OR REPLACE FUNCTION journal.revive(letter journal.dead_letter)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF letter.job IS NOT NULL THEN
        UPDATE journal.job AS j
        SET state = 'waiting', failures = 0, not_before = clock_timestamp()
        WHERE j.id = letter.job AND j.state = 'dead';

        UPDATE journal.webhook_delivery AS d
        SET state = 'pending'
        WHERE d.job = letter.job AND d.state = 'failed';

        PERFORM journal.wake_jobs();

    ELSE
        UPDATE journal.delivery AS d
        SET state = 'waiting', failures = 0, not_before = clock_timestamp()
        WHERE d.consumer = letter.consumer AND d.entry = letter.entry
          AND d.state = 'dead';

        PERFORM pg_notify('azora_generation',
                          'journal ' || nextval('journal.wake'));
    END IF;
END
$$;

COMMENT ON FUNCTION journal.revive(journal.dead_letter) IS
    'Lets what was given up begin anew';

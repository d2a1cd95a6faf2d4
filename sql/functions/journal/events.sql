-- An event as consumers outside get it: CloudEvents 1.0 in JSON. Its source is
-- the log and its id the number there, which together are unique for good.
-- What is too large to be sent around is referred to instead.
CREATE OR REPLACE FUNCTION journal.event_text(
    source       text,
    seq          bigint,
    entry        uuid,
    type         text,
    at           timestamptz,
    subject      uuid,
    body         json,
    traceparent  text
) RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT '{"specversion":"1.0","id":"' || seq
           || '","source":' || to_json(source)
           || ',"type":' || to_json(type)
           || coalesce(',"subject":"' || subject || '"', '')
           || ',"time":"' || azora.rfc3339(at)
           || '","entry":"' || entry || '"'
           || coalesce(',"traceparent":' || to_json(traceparent), '')
           || CASE
              WHEN octet_length(body::text) > 65536
              THEN ',"dataref":"/v1/me/receipts/' || entry || '"}'
              ELSE ',"datacontenttype":"application/json","data":'
                   || body::text || '}'
              END
$$;

COMMENT ON FUNCTION journal.event_text(
    text, bigint, uuid, text, timestamptz, uuid, json, text) IS
    'An event as CloudEvents has it';

-- Every event from a number on, for a worker that hands them to its clients:
-- contiguous, one row a number. An event that was erased has no text.
CREATE OR REPLACE FUNCTION journal.events(
    source  text,
    first   bigint,
    batch   int
) RETURNS TABLE (seq bigint, type text, subject uuid, event text)
LANGUAGE sql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT e.seq, e.type, p.subject,
           journal.event_text(events.source, e.seq, e.id, e.type,
                              p.created_at, p.subject, p.body,
                              p.traceparent)
    FROM journal.entry AS e
         LEFT JOIN journal.payload AS p ON p.entry = e.id
    WHERE e.seq >= events.first AND e.seq < events.first + events.batch
    ORDER BY e.seq
$$;

COMMENT ON FUNCTION journal.events(text, bigint, int) IS
    'All events by their numbers';

-- The entries about a subject from about a number on, all of those among them:
-- what was numbered later was committed later, and no transaction takes an hour,
-- so that no id is from more than an hour before. An array, because a join would
-- let the planner walk through the log to meet them, which is what it would
-- rather do for who has much of it, too.
CREATE OR REPLACE FUNCTION journal.entries_about(subject uuid, first bigint)
RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
AS $$
DECLARE
    since  uuid := (SELECT azora.uuid7_prefix(e.at - interval '1 hour')
                           || '-0000-000000000000'
                    FROM journal.entry AS e
                    WHERE e.seq = first);
BEGIN
    RETURN ARRAY(
        SELECT p.entry
        FROM journal.payload AS p
        WHERE p.subject = entries_about.subject
          AND p.entry >= coalesce(since,
                                  '00000000-0000-0000-0000-000000000000'));
END
$$;

COMMENT ON FUNCTION journal.entries_about(uuid, bigint) IS
    'Entries about a subject from about a number on';

-- A page of what one client missed: events about a subject, or of some types
-- about anybody, from a number on. Every row has the size of the log and the
-- number to continue from; an empty page is one row without an event. At most
-- 4,096 numbers are looked at in a call, so that none takes long; a subject
-- that is further behind is found by its own entries.
CREATE OR REPLACE FUNCTION journal.events_missed(
    source   text,
    first    bigint,
    subject  uuid,
    types    text[],
    batch    int
) RETURNS TABLE (size bigint, upto bigint, seq bigint, event text)
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    width  CONSTANT bigint := 4096;
    total  bigint;
    own    uuid[];
    seqs   bigint[];
    ids    uuid[];
BEGIN
    SELECT t.size INTO total FROM journal.tree AS t;

    IF types IS NULL AND total - first > width THEN
        own := journal.entries_about(subject, first);

        SELECT array_agg(f.seq ORDER BY f.seq), array_agg(f.id ORDER BY f.seq)
        INTO seqs, ids
        FROM (SELECT e.seq, e.id
              FROM journal.entry AS e
              WHERE e.id = ANY (own)
                AND e.seq >= first AND e.seq < total
              ORDER BY e.seq
              LIMIT batch) AS f;
        upto := total;

    ELSE
        upto := greatest(first, least(first + width, total));

        SELECT array_agg(f.seq ORDER BY f.seq), array_agg(f.id ORDER BY f.seq)
        INTO seqs, ids
        FROM (SELECT e.seq, e.id
              FROM journal.entry AS e
              WHERE e.seq >= first AND e.seq < upto
                AND CASE WHEN types IS NULL
                    THEN EXISTS (SELECT 1
                                 FROM journal.payload AS p
                                 WHERE p.entry = e.id
                                   AND p.subject = events_missed.subject)
                    ELSE e.type = ANY (types)
                    END
              ORDER BY e.seq
              LIMIT batch) AS f;
    END IF;

    IF cardinality(seqs) = batch THEN
        upto := seqs[batch] + 1;
    END IF;

    RETURN QUERY
    SELECT total, upto, f.seq,
           journal.event_text(source, f.seq, e.id, e.type, p.created_at,
                              p.subject, p.body, p.traceparent)
    FROM unnest(coalesce(seqs, ARRAY[NULL::bigint]), ids) AS f (seq, id)
         LEFT JOIN journal.entry AS e ON e.id = f.id
         LEFT JOIN journal.payload AS p ON p.entry = f.id
    ORDER BY f.seq;
END
$$;

COMMENT ON FUNCTION journal.events_missed(text, bigint, uuid, text[], int) IS
    'Events that a client missed';

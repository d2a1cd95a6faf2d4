-- What happened, in the order of the log, for auditors. Who looks is
-- journaled as well. A page looks at a bounded part of the log: it may have
-- fewer items than asked for, or none, and still a next one. Nothing is left
-- out, because numbers never come late.
CREATE OR REPLACE FUNCTION journal.audit(
    caller   azora.caller,
    subject  uuid,
    type     text,
    "from"   timestamptz,
    "to"     timestamptz,
    "limit"  bigint,
    cursor   text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    width   CONSTANT bigint := 20000;
    size    bigint := azora.page_size("limit");
    place   text := azora.cursor_text(cursor, '^[0-9]{1,18}$', '0');
    first   bigint;
    upto    bigint;
    total   bigint := (SELECT t.size FROM journal.tree AS t);
    seqs    bigint[];
    items   json[];
BEGIN
    IF place IS NULL THEN
        RETURN azora.invalid_cursor();
    END IF;

    first := greatest(place::bigint, journal.seq_about("from", 0));
    upto := least(total, journal.seq_about("to" + interval '2 hours', total));

    -- a person's own entries are found without looking at others'
    IF subject IS NULL THEN
        upto := least(upto, first + width);
    END IF;

    SELECT array_agg(f.seq ORDER BY f.seq), array_agg(f.item ORDER BY f.seq)
    INTO seqs, items
    FROM journal.audit_page(subject, type, "from", "to", first, upto,
                            size) AS f;

    IF cardinality(seqs) = size THEN
        upto := seqs[size] + 1;
    END IF;

    PERFORM journal.append('audit.read', caller.subject,
        jsonb_strip_nulls(jsonb_build_object(
            'account', caller.subject, 'subject', subject, 'type', type,
            'from', "from", 'to', "to", 'first', first, 'upto', upto)),
        caller.traceparent);

    RETURN (200, json_build_object(
        'items', coalesce(array_to_json(items), '[]'),
        'next', CASE
            WHEN upto < least(total, journal.seq_about(
                                         "to" + interval '2 hours', total))
            THEN azora.cursor_encode(upto::text)
        END), NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION journal.audit(azora.caller, uuid, text, timestamptz,
                                  timestamptz, bigint, text) IS
    'GET /v1/audit';

-- The first entries of some numbers that somebody asks for, looked for in ever
-- wider steps, since mostly the first few will do. Those about one account are
-- found by the account: the log may be long and they few.
CREATE OR REPLACE FUNCTION journal.audit_page(
    subject  uuid,
    type     text,
    "from"   timestamptz,
    "to"     timestamptz,
    first    bigint,
    upto     bigint,
    size     bigint
) RETURNS TABLE (seq bigint, item json)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    place  bigint := first;
    width  bigint := size;
    found  bigint := 0;
    n      bigint;
    own    uuid[];
BEGIN
    IF subject IS NULL THEN
        WHILE place < upto AND found < size LOOP
            RETURN QUERY
            SELECT e.seq, journal.audit_document(e, p)
            FROM journal.entry AS e
                 LEFT JOIN journal.payload AS p ON p.entry = e.id
            WHERE e.seq >= place AND e.seq < least(place + width, upto)
              AND (audit_page.type IS NULL OR e.type = audit_page.type)
              AND coalesce(p.created_at, e.at)
                  >= coalesce("from", '-infinity')
              AND coalesce(p.created_at, e.at) < coalesce("to", 'infinity')
            ORDER BY e.seq
            LIMIT size - found;

            GET DIAGNOSTICS n = ROW_COUNT;
            found := found + n;
            place := place + width;
            width := width * 4;
        END LOOP;

    ELSE
        own := journal.entries_about(subject, first);

        RETURN QUERY
        WITH about AS MATERIALIZED (
            SELECT e AS entry, p AS payload
            FROM journal.entry AS e
                 JOIN journal.payload AS p ON p.entry = e.id
            WHERE e.id = ANY (own)
              AND e.seq >= first AND e.seq < upto
              AND (audit_page.type IS NULL OR e.type = audit_page.type)
              AND p.created_at >= coalesce("from", '-infinity')
              AND p.created_at < coalesce("to", 'infinity')
        )
        SELECT (f.entry).seq, journal.audit_document(f.entry, f.payload)
        FROM (SELECT a.entry, a.payload
              FROM about AS a
              ORDER BY (a.entry).seq
              LIMIT size) AS f
        ORDER BY 1;
    END IF;
END
$$;

COMMENT ON FUNCTION journal.audit_page(uuid, text, timestamptz, timestamptz,
                                       bigint, bigint, bigint) IS
    'Entries for auditors';

-- An entry for auditors. Of one that was erased its public half is left, with
-- a time rounded down to the minute.
CREATE OR REPLACE FUNCTION journal.audit_document(
    entry    journal.entry,
    payload  journal.payload
) RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_build_object(
        'index', entry.seq,
        'id', entry.id,
        'type', entry.type,
        'at', azora.rfc3339(coalesce(payload.created_at, entry.at)),
        'subject', payload.subject,
        'erased', payload.entry IS NULL,
        'payload', payload.body)
$$;

COMMENT ON FUNCTION journal.audit_document(journal.entry, journal.payload) IS
    'An entry for auditors';

-- About the first number of a time, or what there is without one: entries are
-- numbered in the order of their times but for transactions that took long,
-- and none takes an hour.
CREATE OR REPLACE FUNCTION journal.seq_about(
    moment   timestamptz,
    without  bigint
) RETURNS bigint
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    low   bigint := 0;
    high  bigint := (SELECT t.size FROM journal.tree AS t);
    half  bigint;
BEGIN
    IF moment IS NULL THEN
        RETURN without;
    END IF;

    WHILE low < high LOOP
        half := (low + high) / 2;

        IF (SELECT e.at FROM journal.entry AS e WHERE e.seq = half)
           < moment - interval '1 hour'
        THEN
            low := half + 1;
        ELSE
            high := half;
        END IF;
    END LOOP;

    RETURN low;
END
$$;

COMMENT ON FUNCTION journal.seq_about(timestamptz, bigint) IS
    'About the first number of a time';

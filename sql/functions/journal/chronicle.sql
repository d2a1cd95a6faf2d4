-- The bytes of an entry in the public log: what a leaf is the hash of. Nothing
-- personal, the members in this order, no blanks; docs/CHRONICLE.md has it.
-- STABLE as to_char() is, or it would not be put in place.
CREATE OR REPLACE FUNCTION journal.entry_text(
    type          text,
    at            timestamptz,
    payload_hash  bytea
) RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT '{"v":1,"type":"' || type || '","at":"'
           || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"')
           || '","hash":"' || encode(payload_hash, 'hex') || '"}'
$$;

COMMENT ON FUNCTION journal.entry_text(text, timestamptz, bytea) IS
    'An entry as the public log has it';

-- The log as PostgreSQL knows it. Entries that wait are counted up to a bound,
-- because every node asks all the time. PostgreSQL may have counted the entries
-- while many waited, or while none did: no plan may read the whole log to find
-- none, nor sort all that wait for the first, here and in chronicle_pick().
CREATE OR REPLACE FUNCTION journal.chronicle_state()
RETURNS TABLE (size bigint, checkpoint text, signed_at bigint, pending bigint,
               oldest uuid)
LANGUAGE sql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_sort = off
AS $$
    SELECT t.size, t.checkpoint,
           coalesce(extract(epoch FROM t.signed_at), 0)::bigint,
           (SELECT count(*)
            FROM (SELECT FROM journal.entry AS e
                  WHERE e.seq IS NULL LIMIT 10000) AS w),
           (SELECT e.id FROM journal.entry AS e
            WHERE e.seq IS NULL ORDER BY e.id LIMIT 1)
    FROM journal.tree AS t
$$;

COMMENT ON FUNCTION journal.chronicle_state() IS 'Size and checkpoint';

-- Numbered entries, for a node whose files are behind.
CREATE OR REPLACE FUNCTION journal.chronicle_entries(
    first  bigint,
    batch  int
) RETURNS TABLE (seq bigint, entry text)
LANGUAGE sql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT e.seq, journal.entry_text(e.type, e.at, e.payload_hash)
    FROM journal.entry AS e
    WHERE e.seq >= first AND e.seq < first + batch
    ORDER BY e.seq
$$;

COMMENT ON FUNCTION journal.chronicle_entries(bigint, int) IS
    'Entries by their numbers';

-- The next entries to be numbered, oldest first; no row when there is none or
-- when another process leads. Whoever asks while nobody's lease runs leads for
-- the next 700 ms. An entry whose transaction commits late is found then:
-- nothing is skipped, because a number is given here and not by the writer.
CREATE OR REPLACE FUNCTION journal.chronicle_pick(
    node   uuid,
    batch  int
) RETURNS TABLE (size bigint, id uuid, entry text)
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_sort = off
AS $$
DECLARE
    base  bigint;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM journal.entry AS e WHERE e.seq IS NULL) THEN
        RETURN;
    END IF;

    UPDATE journal.tree AS t
    SET leader = node, lease_until = clock_timestamp() + interval '700 ms'
    WHERE t.leader = node OR t.lease_until < clock_timestamp()
    RETURNING t.size INTO base;

    IF base IS NULL THEN
        RETURN;
    END IF;

    RETURN QUERY
    SELECT base, w.id, journal.entry_text(w.type, w.at, w.payload_hash)
    FROM (SELECT e.id, e.type, e.at, e.payload_hash
          FROM journal.entry AS e
          WHERE e.seq IS NULL
          ORDER BY e.id
          LIMIT batch) AS w
    ORDER BY w.id;
END
$$;

COMMENT ON FUNCTION journal.chronicle_pick(uuid, int) IS
    'Entries that wait for their numbers';

-- Numbers entries in the order of the array, which is that of their ids, so that
-- no others are looked at, and stores the checkpoint over them, if the log still
-- has the size it was signed for and the caller still leads. False: nothing was
-- done.
CREATE OR REPLACE FUNCTION journal.chronicle_commit(
    node        uuid,
    base        bigint,
    ids         uuid[],
    checkpoint  text
) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    n  bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('journal.chronicle')) THEN
        RETURN false;
    END IF;

    UPDATE journal.tree AS t
    SET size = base + cardinality(ids),
        checkpoint = chronicle_commit.checkpoint,
        signed_at = clock_timestamp()
    WHERE t.size = base AND t.leader = node;

    IF NOT FOUND THEN
        RETURN false;
    END IF;

    UPDATE journal.entry AS e
    SET seq = base + i.n - 1
    FROM unnest(ids) WITH ORDINALITY AS i (id, n)
    WHERE e.id = i.id AND e.seq IS NULL
      AND e.id BETWEEN ids[1] AND ids[cardinality(ids)];

    GET DIAGNOSTICS n = ROW_COUNT;

    IF n <> cardinality(ids) THEN
        RAISE EXCEPTION 'only % of % entries could be numbered', n,
            cardinality(ids);
    END IF;

    PERFORM pg_notify('azora_generation',
                      'chronicle ' || base + cardinality(ids));

    RETURN true;
END
$$;

COMMENT ON FUNCTION journal.chronicle_commit(uuid, bigint, uuid[], text) IS
    'Numbers entries under a checkpoint';

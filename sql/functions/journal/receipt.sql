-- What was journaled about somebody, newest first.
CREATE OR REPLACE FUNCTION journal.my_activity(
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

    SELECT array_agg(p.document ORDER BY p.id DESC),
           array_agg(p.id::text ORDER BY p.id DESC)
    INTO items, keys
    FROM (SELECT e.id,
                 json_build_object(
                     'id', e.id,
                     'type', e.type,
                     'at', azora.rfc3339(o.created_at),
                     'index', e.seq) AS document
          FROM journal.payload AS o
               JOIN journal.entry AS e ON e.id = o.entry
          WHERE o.subject = caller.subject AND o.entry < before
          ORDER BY o.entry DESC
          LIMIT size + 1) AS p;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION journal.my_activity(azora.caller, bigint, text) IS
    'GET /v1/me/activity';

-- An entry of one's own with what opens its hash. NGINX adds the proof.
CREATE OR REPLACE FUNCTION journal.my_receipt(
    caller  azora.caller,
    entry   uuid
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item  record;
BEGIN
    SELECT e.seq, o.salt,
           journal.entry_text(e.type, e.at, e.payload_hash) AS line,
           o.body::text AS payload
    INTO item
    FROM journal.payload AS o
         JOIN journal.entry AS e ON e.id = o.entry
    WHERE o.entry = my_receipt.entry AND o.subject = caller.subject;

    IF NOT FOUND THEN
        RETURN azora.refusal(404, 'not-found', 'You have no such entry.');
    END IF;

    IF item.seq IS NULL THEN
        RETURN azora.refusal(409, 'not-published',
            'The entry has no number yet; ask again in a second.');
    END IF;

    RETURN (200,
            json_build_object('index', item.seq,
                              'entry', item.line,
                              'salt', encode(item.salt, 'hex'),
                              'payload', item.payload),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION journal.my_receipt(azora.caller, uuid) IS
    'GET /v1/me/receipts/{entry}';

CREATE OR REPLACE FUNCTION ledger.get_hold(caller azora.caller, id uuid)
RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN azora.found((
        SELECT ledger.hold_document(h.id)
        FROM ledger.hold AS h
             JOIN ledger.account AS d ON d.id = h.account
             LEFT JOIN ledger.account AS c ON c.id = h.credit
        WHERE h.id = get_hold.id
          AND caller.subject IN (d.owner, c.owner)),
        'There is no such hold.');
END
$$;

COMMENT ON FUNCTION ledger.get_hold(azora.caller, uuid) IS
    'GET /v1/holds/{id}';

-- The caller's holds on either side, newest first. Each wallet walks its own
-- end of the indexes.
CREATE OR REPLACE FUNCTION ledger.list_holds(
    caller   azora.caller,
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
    before  uuid := azora.cursor_uuid(cursor);
    items   json[];
    keys    text[];
BEGIN
    IF before IS NULL THEN
        RETURN azora.invalid_cursor();
    END IF;

    SELECT array_agg(ledger.hold_document(p.id) ORDER BY p.id DESC),
           array_agg(p.id::text ORDER BY p.id DESC)
    INTO items, keys
    FROM (SELECT u.id
          FROM ledger.account AS a
               CROSS JOIN LATERAL (
                   (SELECT h.id FROM ledger.hold AS h
                    WHERE h.account = a.id AND h.id < before
                      AND (list_holds.state IS NULL
                           OR h.state = list_holds.state)
                    ORDER BY h.id DESC LIMIT size + 1)
                   UNION ALL
                   (SELECT h.id FROM ledger.hold AS h
                    WHERE h.credit = a.id AND h.id < before
                      AND (list_holds.state IS NULL
                           OR h.state = list_holds.state)
                    ORDER BY h.id DESC LIMIT size + 1)) AS u
          WHERE a.owner = caller.subject AND a.kind = 'wallet'
          ORDER BY u.id DESC
          LIMIT size + 1) AS p;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION ledger.list_holds(azora.caller, text, bigint, text) IS
    'GET /v1/holds';

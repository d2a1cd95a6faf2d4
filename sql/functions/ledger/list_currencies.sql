CREATE OR REPLACE FUNCTION ledger.list_currencies(
    caller   azora.caller,
    "limit"  bigint,
    cursor   text
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    size   bigint := azora.page_size("limit");
    after  text := azora.cursor_text(cursor, '^[A-Z0-9]{3,8}$');
    items  json[];
    keys   text[];
BEGIN
    IF after IS NULL THEN
        RETURN azora.invalid_cursor();
    END IF;

    SELECT array_agg(l.document ORDER BY l.code COLLATE "C"),
           array_agg(l.code ORDER BY l.code COLLATE "C")
    INTO items, keys
    FROM (SELECT c.code,
                 json_build_object('code', c.code, 'name', c.name,
                                   'decimals', c.scale,
                                   'smallest', c.unit::text) AS document
          FROM ledger.currency AS c
          WHERE c.code > after COLLATE "C"
          ORDER BY c.code COLLATE "C"
          LIMIT size + 1) AS l;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION ledger.list_currencies(azora.caller, bigint, text) IS
    'GET /v1/ledger/currencies';

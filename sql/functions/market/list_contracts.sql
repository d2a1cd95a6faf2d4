-- The caller's contracts on either side, newest first.
CREATE OR REPLACE FUNCTION market.list_contracts(
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

    -- Each half walks its own index; a party is never both.
    SELECT array_agg(p.document ORDER BY p.id DESC),
           array_agg(p.id::text ORDER BY p.id DESC)
    INTO items, keys
    FROM (SELECT u.id, market.contract_document(u.id) AS document
          FROM ((SELECT c.id FROM market.contract AS c
                 WHERE c.employer = caller.subject AND c.id < before
                 ORDER BY c.id DESC LIMIT size + 1)
                UNION ALL
                (SELECT c.id FROM market.contract AS c
                 WHERE c.freelancer = caller.subject AND c.id < before
                 ORDER BY c.id DESC LIMIT size + 1)) AS u
          ORDER BY u.id DESC
          LIMIT size + 1) AS p;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION market.list_contracts(azora.caller, bigint, text) IS
    'GET /v1/contracts';

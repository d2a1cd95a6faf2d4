-- Only the owner of the job sees who applied; to others it does not exist.
CREATE OR REPLACE FUNCTION market.list_applications(
    caller   azora.caller,
    id       uuid,
    "limit"  bigint,
    cursor   text
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    size   bigint := azora.page_size("limit");
    after  uuid := CASE WHEN cursor IS NULL
                   THEN '00000000-0000-0000-0000-000000000000'
                   ELSE azora.cursor_uuid(cursor) END;
    items  json[];
    keys   text[];
BEGIN
    IF after IS NULL THEN
        RETURN azora.invalid_cursor();
    END IF;

    IF NOT EXISTS (
        SELECT 1 FROM market.job AS j
        WHERE j.id = list_applications.id AND j.owner = caller.subject)
    THEN
        RETURN azora.refusal(404, 'not-found',
                             'You have no such job.');
    END IF;

    SELECT array_agg(p.document ORDER BY p.id),
           array_agg(p.id::text ORDER BY p.id)
    INTO items, keys
    FROM (SELECT a.id, market.application_document(a) AS document
          FROM market.application AS a
          WHERE a.job = list_applications.id AND a.id > after
          ORDER BY a.id
          LIMIT size + 1) AS p;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION market.list_applications(azora.caller, uuid, bigint, text)
    IS 'GET /v1/jobs/{id}/applications';

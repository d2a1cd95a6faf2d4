-- Open jobs, newest first. The description is left to GET /v1/jobs/{id}.
CREATE OR REPLACE FUNCTION market.list_jobs(
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
    FROM (SELECT j.id,
                 json_build_object(
                     'id', j.id,
                     'title', j.title,
                     'currency', j.currency,
                     'budget', ledger.money_text(j.currency, j.budget_minor),
                     'skills', j.skills,
                     'created_at', azora.rfc3339(j.created_at)) AS document
          FROM market.job AS j
          WHERE j.state = 'open' AND j.id < before
          ORDER BY j.id DESC
          LIMIT size + 1) AS p;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION market.list_jobs(azora.caller, bigint, text) IS
    'GET /v1/jobs';

CREATE OR REPLACE FUNCTION market.get_job(caller azora.caller, id uuid)
RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    document  json := market.job_document(id);
BEGIN
    IF document IS NULL THEN
        RETURN azora.refusal(404, 'not-found', 'There is no such job.');
    END IF;

    RETURN (200, document, NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION market.get_job(azora.caller, uuid) IS
    'GET /v1/jobs/{id}';

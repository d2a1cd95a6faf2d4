CREATE OR REPLACE FUNCTION identity.me(caller azora.caller)
RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    document  json;
BEGIN
    SELECT identity.account_document(a) INTO document
    FROM identity.account AS a
    WHERE a.id = caller.subject AND a.erased_at IS NULL;

    IF document IS NULL THEN
        RETURN azora.refusal(404, 'not-found', 'This account is gone.');
    END IF;

    RETURN (200, document, NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.me(azora.caller) IS 'GET /v1/me';

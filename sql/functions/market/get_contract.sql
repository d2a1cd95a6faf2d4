CREATE OR REPLACE FUNCTION market.get_contract(caller azora.caller, id uuid)
RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM market.contract AS c
        WHERE c.id = get_contract.id
          AND caller.subject IN (c.employer, c.freelancer))
    THEN
        RETURN azora.refusal(404, 'not-found', 'You have no such contract.');
    END IF;

    RETURN (200, market.contract_document(id), NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION market.get_contract(azora.caller, uuid) IS
    'GET /v1/contracts/{id}';

CREATE OR REPLACE FUNCTION market.accept_contract(
    caller  azora.caller,
    id      uuid
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    worker  uuid;
BEGIN
    SELECT c.freelancer INTO worker
    FROM market.contract AS c
    WHERE c.id = accept_contract.id
      AND caller.subject IN (c.employer, c.freelancer)
    FOR NO KEY UPDATE;

    IF worker IS NULL THEN
        PERFORM azora.refuse(404, 'not-found', 'You have no such contract.');
    END IF;

    IF worker <> caller.subject THEN
        PERFORM azora.refuse(403, 'wrong-party',
            'Only the freelancer of the contract may do this.');
    END IF;

    PERFORM market.contract_transition(id, 'agreed');

    PERFORM journal.append('contract.agreed', caller.subject,
        jsonb_build_object('account', caller.subject, 'contract', id),
        caller.traceparent);

    RETURN (200, market.contract_document(id), NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION market.accept_contract(azora.caller, uuid) IS
    'POST /v1/contracts/{id}/acceptance';

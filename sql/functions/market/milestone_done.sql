-- Journals a step of a milestone and gives its document.
CREATE OR REPLACE FUNCTION market.milestone_done(
    caller  azora.caller,
    id      uuid,
    event   text
) RETURNS json
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    document  json;
    contract  uuid;
BEGIN
    SELECT market.milestone_document(m, c.currency), c.id
    INTO document, contract
    FROM market.milestone AS m
         JOIN market.contract AS c ON c.id = m.contract
    WHERE m.id = milestone_done.id;

    PERFORM journal.append(event, caller.subject,
        jsonb_build_object('account', caller.subject, 'contract', contract,
                           'milestone', id, 'amount', document ->> 'amount'),
        caller.traceparent);

    RETURN document;
END
$$;

COMMENT ON FUNCTION market.milestone_done(azora.caller, uuid, text) IS
    'Journals a step of a milestone';

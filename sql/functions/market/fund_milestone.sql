-- The employer pays a milestone into its escrow; the first one makes the
-- contract active.
CREATE OR REPLACE FUNCTION market.fund_milestone(
    caller  azora.caller,
    id      uuid
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    contract  market.contract := market.lock_milestone(caller, id,
                                                       'employer');
BEGIN
    IF contract.state NOT IN ('agreed', 'active') THEN
        PERFORM azora.refuse(409, 'wrong-state',
            format('The contract is %s.', contract.state));
    END IF;

    PERFORM market.milestone_transition(id, 'funded', caller.subject);

    PERFORM ledger.fund_escrow(contract.employer, m.id, contract.currency,
                               m.amount_minor)
    FROM market.milestone AS m
    WHERE m.id = fund_milestone.id;

    IF contract.state = 'agreed' THEN
        PERFORM market.contract_transition(contract.id, 'active');
    END IF;

    RETURN (200,
            market.milestone_done(caller, id, 'milestone.funded'),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION market.fund_milestone(azora.caller, uuid) IS
    'POST /v1/milestones/{id}/funding';

-- The employer approves and pays: the escrow goes to the freelancer less the
-- commission.
CREATE OR REPLACE FUNCTION market.release_milestone(
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
    PERFORM market.milestone_transition(id, 'approved', caller.subject);
    PERFORM market.settle(contract, id, 'released', caller.subject);

    RETURN (200,
            market.milestone_done(caller, id, 'milestone.released'),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION market.release_milestone(azora.caller, uuid) IS
    'POST /v1/milestones/{id}/release';

-- The freelancer gives the escrow back to the employer: no commission.
CREATE OR REPLACE FUNCTION market.refund_milestone(
    caller  azora.caller,
    id      uuid
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    contract  market.contract := market.lock_milestone(caller, id,
                                                       'freelancer');
BEGIN
    PERFORM market.milestone_transition(id, 'refund_requested',
                                        caller.subject);
    PERFORM market.settle(contract, id, 'refunded', caller.subject);

    RETURN (200,
            market.milestone_done(caller, id, 'milestone.refunded'),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION market.refund_milestone(azora.caller, uuid) IS
    'POST /v1/milestones/{id}/refund';

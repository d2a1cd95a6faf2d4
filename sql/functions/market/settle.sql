-- Ends a milestone: 'released' pays the freelancer less the commission, which
-- is rounded down, 'refunded' pays the employer. The last milestone to end
-- completes the contract, or cancels it when all were refunded.
CREATE OR REPLACE FUNCTION market.settle(
    contract   market.contract,
    milestone  uuid,
    to_state   text,
    actor      uuid
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    funded    bigint;
    refunded  bigint := 0;
    fee       bigint := 0;
    pending   boolean;
    paid      boolean;
BEGIN
    SELECT m.amount_minor INTO funded
    FROM market.milestone AS m
    WHERE m.id = milestone;

    IF to_state = 'refunded' THEN
        refunded := funded;
    ELSE
        fee := trunc(funded::numeric * contract.fee_bps / 10000);
    END IF;

    PERFORM market.milestone_transition(milestone, to_state, actor, NULL,
                                        refunded, fee);
    PERFORM ledger.settle_escrow(milestone, contract.employer,
                                 contract.freelancer, refunded, fee);

    SELECT bool_or(m.ended_at IS NULL), bool_or(m.released > 0)
    INTO pending, paid
    FROM market.milestone AS m
    WHERE m.contract = contract.id;

    IF NOT pending THEN
        PERFORM market.contract_transition(
            contract.id, CASE WHEN paid THEN 'completed' ELSE 'cancelled' END);
    END IF;
END
$$;

COMMENT ON FUNCTION market.settle(market.contract, uuid, text, uuid) IS
    'Ends a milestone and gives out its money';

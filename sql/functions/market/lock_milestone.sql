-- Locks a milestone's contract for a party; to strangers it does not exist,
-- and the other party is told whose move it is. side is employer or
-- freelancer.
CREATE OR REPLACE FUNCTION market.lock_milestone(
    caller  azora.caller,
    id      uuid,
    side    text
) RETURNS market.contract
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    contract  market.contract;
BEGIN
    SELECT c.id, c.employer, c.freelancer, c.job, c.state, c.title,
           c.currency, c.fee_bps, c.created_at, c.agreed_at, c.ended_at
    INTO contract
    FROM market.contract AS c
         JOIN market.milestone AS m ON m.contract = c.id
    WHERE m.id = lock_milestone.id
      AND caller.subject IN (c.employer, c.freelancer)
    FOR NO KEY UPDATE OF c;

    IF contract.id IS NULL THEN
        PERFORM azora.refuse(404, 'not-found', 'You have no such milestone.');
    END IF;

    IF (side = 'employer' AND caller.subject <> contract.employer)
       OR (side = 'freelancer' AND caller.subject <> contract.freelancer)
    THEN
        PERFORM azora.refuse(403, 'wrong-party',
            format('Only the %s of the contract may do this.', side));
    END IF;

    RETURN contract;
END
$$;

COMMENT ON FUNCTION market.lock_milestone(azora.caller, uuid, text) IS
    'Locks a milestone''s contract for one of its parties';

-- The only way a milestone changes its state; every step is kept with who did
-- it. The caller holds the contract's lock. A request for changes stops the
-- review's clock, handing in starts it: 14 days, as an absolute time. refunded
-- and fee are minor units, for the states that end it; the rest is released.
CREATE OR REPLACE FUNCTION market.milestone_transition(
    milestone  uuid,
    to_state   text,
    actor      uuid,
    note       text DEFAULT NULL,
    refunded   bigint DEFAULT 0,
    fee        bigint DEFAULT 0
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    was    text;
    final  boolean := to_state IN ('released', 'refunded', 'resolved');
BEGIN
    SELECT m.state INTO was
    FROM market.milestone AS m
    WHERE m.id = milestone
    FOR NO KEY UPDATE;

    IF NOT market.milestone_may(was, to_state) THEN
        PERFORM azora.refuse(409, 'wrong-state',
            format('The milestone is %s.', replace(was, '_', ' ')));
    END IF;

    UPDATE market.milestone AS m
    SET state = to_state,
        funded_at = CASE to_state WHEN 'funded' THEN now()
                    ELSE m.funded_at END,
        submitted_at = CASE to_state WHEN 'submitted' THEN now()
                       ELSE m.submitted_at END,
        review_until = CASE to_state WHEN 'submitted'
                       THEN now() + interval '14 days' END,
        ended_at = CASE WHEN final THEN now() END,
        released = CASE WHEN final
                   THEN m.amount_minor - milestone_transition.refunded
                        - milestone_transition.fee
                   ELSE 0 END,
        refunded = milestone_transition.refunded,
        fee = milestone_transition.fee
    WHERE m.id = milestone;

    INSERT INTO market.milestone_event
        (milestone, number, actor, from_state, to_state, note)
    SELECT milestone_transition.milestone, count(*) + 1,
           milestone_transition.actor, was,
           milestone_transition.to_state, milestone_transition.note
    FROM market.milestone_event AS e
    WHERE e.milestone = milestone_transition.milestone;
END
$$;

COMMENT ON FUNCTION market.milestone_transition(uuid, text, uuid, text, bigint,
                                                bigint) IS
    'Moves a milestone to another state, or refuses';

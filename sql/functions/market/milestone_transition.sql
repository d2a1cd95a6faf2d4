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
    from_state  text;
    final       boolean := to_state IN ('released', 'refunded', 'resolved');
BEGIN
    SELECT m.state INTO from_state
    FROM market.milestone AS m
    WHERE m.id = milestone
    FOR NO KEY UPDATE;

    IF (from_state, to_state) NOT IN (
        ('pending', 'funded'),
        ('funded', 'submitted'),
        ('submitted', 'changes_requested'),
        ('changes_requested', 'submitted'),
        ('submitted', 'approved'),
        ('approved', 'released'),
        ('funded', 'refund_requested'),
        ('submitted', 'refund_requested'),
        ('changes_requested', 'refund_requested'),
        ('refund_requested', 'refunded'),
        ('refund_requested', 'disputed'),
        ('submitted', 'disputed'),
        ('changes_requested', 'disputed'),
        ('disputed', 'mediation'),
        ('mediation', 'arbitration'),
        ('mediation', 'resolved'),
        ('arbitration', 'resolved'))
    THEN
        PERFORM azora.refuse(409, 'wrong-state',
            format('The milestone is %s.', replace(from_state, '_', ' ')));
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
           milestone_transition.actor, from_state,
           milestone_transition.to_state, milestone_transition.note
    FROM market.milestone_event AS e
    WHERE e.milestone = milestone_transition.milestone;
END
$$;

COMMENT ON FUNCTION market.milestone_transition(uuid, text, uuid, text, bigint,
                                                bigint) IS
    'Moves a milestone to another state, or refuses';

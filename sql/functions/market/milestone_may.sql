-- The steps of a milestone.
CREATE OR REPLACE FUNCTION market.milestone_may(from_state text, to_state text)
RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT (from_state, to_state) IN (
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
$$;

COMMENT ON FUNCTION market.milestone_may(text, text) IS
    'Whether a milestone may go from one state to another';

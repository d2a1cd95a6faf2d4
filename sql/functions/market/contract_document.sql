CREATE OR REPLACE FUNCTION market.contract_document(contract uuid)
RETURNS json
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT json_strip_nulls(json_build_object(
            'id', c.id,
            'state', c.state,
            'title', c.title,
            'employer', c.employer,
            'freelancer', c.freelancer,
            'job', c.job,
            'currency', c.currency,
            'fee_bps', c.fee_bps,
            'milestones', (
                SELECT json_agg(market.milestone_document(m, c.currency)
                                ORDER BY m.number)
                FROM market.milestone AS m
                WHERE m.contract = c.id),
            'created_at', azora.rfc3339(c.created_at)))
        FROM market.contract AS c
        WHERE c.id = contract);
END
$$;

COMMENT ON FUNCTION market.contract_document(uuid) IS
    'A contract as its parties see it';

CREATE OR REPLACE FUNCTION market.milestone_document(
    milestone  market.milestone,
    currency   text
) RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_strip_nulls(json_build_object(
        'id', milestone.id,
        'number', milestone.number,
        'title', milestone.title,
        'amount', ledger.money_text(currency, milestone.amount_minor),
        'state', milestone.state,
        'review_until', azora.rfc3339(milestone.review_until)))
$$;

COMMENT ON FUNCTION market.milestone_document(market.milestone, text) IS
    'A milestone as its parties see it';

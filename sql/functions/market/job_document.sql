CREATE OR REPLACE FUNCTION market.job_document(job uuid)
RETURNS json
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT json_build_object(
            'id', j.id,
            'state', j.state,
            'owner', j.owner,
            'title', j.title,
            'description', j.description,
            'currency', j.currency,
            'budget', ledger.money_text(j.currency, j.budget_minor),
            'skills', j.skills,
            'created_at', azora.rfc3339(j.created_at))
        FROM market.job AS j
        WHERE j.id = job);
END
$$;

COMMENT ON FUNCTION market.job_document(uuid) IS 'A job as anybody sees it';

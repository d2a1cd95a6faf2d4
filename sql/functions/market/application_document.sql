CREATE OR REPLACE FUNCTION market.application_document(
    application  market.application
) RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_build_object(
        'id', application.id,
        'job', application.job,
        'applicant', application.applicant,
        'state', application.state,
        'message', application.message,
        'created_at', azora.rfc3339(application.created_at))
$$;

COMMENT ON FUNCTION market.application_document(market.application) IS
    'An application as both sides see it';

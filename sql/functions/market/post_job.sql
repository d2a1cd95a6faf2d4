CREATE OR REPLACE FUNCTION market.post_job(
    caller       azora.caller,
    title        text,
    description  text,
    currency     text,
    budget       text,
    skills       jsonb
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    id       uuid := azora.uuid7();
    asked    text[] := market.skill_list(skills);
    minor    bigint := ledger.require_amount(currency, budget, '/budget');
BEGIN
    INSERT INTO market.job
        (id, owner, title, description, currency, budget_minor, skills)
    VALUES (id, caller.subject, post_job.title,
            post_job.description, post_job.currency, minor, asked);

    PERFORM journal.append('job.posted', caller.subject,
        jsonb_build_object('account', caller.subject, 'job', id),
        caller.traceparent);

    RETURN (201, market.job_document(id), NULL, '/v1/jobs/' || id)::azora.reply;
END
$$;

COMMENT ON FUNCTION market.post_job(azora.caller, text, text, text, text,
                                    jsonb) IS 'POST /v1/jobs';

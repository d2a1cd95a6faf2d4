CREATE OR REPLACE FUNCTION market.apply(
    caller   azora.caller,
    id       uuid,
    message  text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    job       record;
    document  json;
BEGIN
    -- The share lock keeps the job open until this application is in.
    SELECT j.owner, j.state INTO job
    FROM market.job AS j
    WHERE j.id = apply.id
    FOR SHARE;

    IF NOT FOUND THEN
        PERFORM azora.refuse(404, 'not-found', 'There is no such job.');
    END IF;

    IF job.owner = caller.subject THEN
        PERFORM azora.refuse(409, 'own-job', 'This job is your own.');
    END IF;

    IF job.state <> 'open' THEN
        PERFORM azora.refuse(409, 'job-closed', 'This job is not open.');
    END IF;

    INSERT INTO market.application AS a (id, job, applicant, message)
    VALUES (azora.uuid7(), apply.id, caller.subject, apply.message)
    ON CONFLICT ON CONSTRAINT application_once DO NOTHING
    RETURNING market.application_document(a) INTO document;

    IF document IS NULL THEN
        PERFORM azora.refuse(409, 'already-applied',
                             'You have applied for this job before.');
    END IF;

    PERFORM journal.append('job.applied', caller.subject,
        jsonb_build_object('account', caller.subject, 'job', id,
                           'application', document ->> 'id'),
        caller.traceparent);

    RETURN (201, document, NULL,
            '/v1/jobs/' || id || '/applications')::azora.reply;
END
$$;

COMMENT ON FUNCTION market.apply(azora.caller, uuid, text) IS
    'POST /v1/jobs/{id}/applications';

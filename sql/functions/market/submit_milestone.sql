CREATE OR REPLACE FUNCTION market.submit_milestone(
    caller  azora.caller,
    id      uuid,
    note    text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM market.lock_milestone(caller, id, 'freelancer');
    PERFORM market.milestone_transition(id, 'submitted', caller.subject,
                                        note);

    RETURN (200,
            market.milestone_done(caller, id, 'milestone.submitted'),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION market.submit_milestone(azora.caller, uuid, text) IS
    'POST /v1/milestones/{id}/submission';

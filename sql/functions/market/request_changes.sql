CREATE OR REPLACE FUNCTION market.request_changes(
    caller  azora.caller,
    id      uuid,
    note    text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM market.lock_milestone(caller, id, 'employer');
    PERFORM market.milestone_transition(id, 'changes_requested',
                                        caller.subject, note);

    RETURN (200,
            market.milestone_done(caller, id, 'milestone.changes_requested'),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION market.request_changes(azora.caller, uuid, text) IS
    'POST /v1/milestones/{id}/changes';

CREATE OR REPLACE FUNCTION learning.get_attempt(caller azora.caller, id uuid)
RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM learning.attempt AS a
        WHERE a.id = get_attempt.id AND a.account = caller.subject)
    THEN
        RETURN azora.refusal(404, 'not-found', 'There is no such attempt.');
    END IF;

    RETURN (200, learning.attempt_document(id), NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION learning.get_attempt(azora.caller, uuid) IS
    'GET /v1/attempts/{id}';

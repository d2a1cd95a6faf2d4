-- The same as a reply, for read functions, which never raise, and for writes
-- that keep their effects although they refuse.
CREATE OR REPLACE FUNCTION azora.refusal(
    status   int,
    problem  text,
    detail   text,
    pointer  text DEFAULT NULL
) RETURNS azora.reply
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    IF pointer IS NULL THEN
        RETURN (status,
                json_build_object('problem', problem, 'detail', detail),
                NULL, NULL)::azora.reply;
    END IF;

    RETURN (status,
            json_build_object('problem', problem, 'detail', detail,
                              'pointer', pointer),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION azora.refusal(int, text, text, text) IS
    'A refusal as a reply';

CREATE OR REPLACE FUNCTION learning.unknown_course()
RETURNS azora.reply
LANGUAGE sql IMMUTABLE
AS $$
    SELECT azora.refusal(404, 'not-found', 'There is no such course.')
$$;

COMMENT ON FUNCTION learning.unknown_course() IS
    'What a wrong course gets';

-- Ends a write function with a problem: everything it did is rolled back.
-- problem is a name of /problems/, detail a sentence for a person, pointer the
-- JSON pointer of the wrong field.
CREATE OR REPLACE FUNCTION azora.refuse(
    status   int,
    problem  text,
    detail   text,
    pointer  text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'AZ' || status,
        MESSAGE = problem,
        DETAIL = detail,
        HINT = coalesce(pointer, '');
END
$$;

COMMENT ON FUNCTION azora.refuse(int, text, text, text) IS
    'Raises a refusal of class AZ';

-- Ends a write function with a problem: everything it did is rolled back.
-- problem is a name of /problems/, detail a sentence for a person, pointer the
-- JSON pointer of the wrong field, members an object of what else the problem
-- tells. An error has no field for objects; DATATYPE is one that nothing else
-- fills in an error that is raised.
CREATE OR REPLACE FUNCTION azora.refuse(
    status   int,
    problem  text,
    detail   text,
    pointer  text DEFAULT NULL,
    members  json DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'AZ' || status,
        MESSAGE = problem,
        DETAIL = detail,
        HINT = coalesce(pointer, ''),
        DATATYPE = coalesce(members::text, '');
END
$$;

COMMENT ON FUNCTION azora.refuse(int, text, text, text, json) IS
    'Raises a refusal of class AZ';

CREATE OR REPLACE FUNCTION learning.get_lesson(
    caller  azora.caller,
    slug    text,
    number  bigint
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    document  json;
BEGIN
    SELECT json_build_object(
               'number', l.number,
               'title', l.title,
               'body', l.body,
               'minutes', l.minutes)
    INTO document
    FROM learning.course_version AS v
         JOIN learning.lesson AS l
              ON l.course = v.course AND l.version = v.version
    WHERE v.course = get_lesson.slug
      AND v.state = 'published'
      AND l.number = get_lesson.number;

    IF document IS NULL THEN
        RETURN azora.refusal(404, 'not-found', 'There is no such lesson.');
    END IF;

    RETURN (200, document, NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION learning.get_lesson(azora.caller, text, bigint) IS
    'GET /v1/courses/{slug}/lessons/{number}';

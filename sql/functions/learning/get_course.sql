CREATE OR REPLACE FUNCTION learning.get_course(caller azora.caller, slug text)
RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    document  json;
BEGIN
    SELECT json_build_object(
               'slug', v.course,
               'title', v.title,
               'summary', v.summary,
               'language', v.language,
               'lessons', l.lessons,
               'quiz', learning.quiz_document(v.course))
    INTO document
    FROM learning.course_version AS v
         CROSS JOIN LATERAL (
             SELECT coalesce(json_agg(json_build_object(
                        'number', o.number,
                        'title', o.title,
                        'minutes', o.minutes,
                        'bytes', o.bytes) ORDER BY o.number), '[]') AS lessons
             FROM learning.lesson AS o
             WHERE o.course = v.course AND o.version = v.version
         ) AS l
    WHERE v.course = get_course.slug AND v.state = 'published';

    IF document IS NULL THEN
        RETURN learning.unknown_course();
    END IF;

    RETURN (200, document, NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION learning.get_course(azora.caller, text) IS
    'GET /v1/courses/{slug}';

CREATE OR REPLACE FUNCTION learning.get_enrolment(
    caller  azora.caller,
    slug    text
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    document  json;
BEGIN
    SELECT json_build_object(
               'course', e.course,
               'enrolled_at', azora.rfc3339(e.enrolled_at),
               'progress', learning.progress_document(e.account, e.course),
               'lessons_done', ARRAY(
                   SELECT p.number
                   FROM learning.progress AS p
                   WHERE p.account = e.account AND p.course = e.course
                   ORDER BY p.number))
    INTO document
    FROM learning.enrolment AS e
    WHERE e.account = caller.subject AND e.course = get_enrolment.slug;

    IF document IS NULL THEN
        RETURN azora.refusal(404, 'not-enrolled',
                             'You are not enrolled in this course.');
    END IF;

    RETURN (200, document, NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION learning.get_enrolment(azora.caller, text) IS
    'GET /v1/courses/{slug}/enrolment';

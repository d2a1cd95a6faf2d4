CREATE OR REPLACE FUNCTION learning.enrol(caller azora.caller, slug text)
RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fresh  boolean;
    since  timestamptz;
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM learning.course_version AS v
        WHERE v.course = enrol.slug AND v.state = 'published')
    THEN
        PERFORM azora.refuse(404, 'not-found', 'There is no such course.');
    END IF;

    INSERT INTO learning.enrolment (account, course)
    VALUES (caller.subject, enrol.slug)
    ON CONFLICT DO NOTHING;

    fresh := FOUND;

    SELECT e.enrolled_at INTO since
    FROM learning.enrolment AS e
    WHERE e.account = caller.subject AND e.course = enrol.slug;

    IF fresh THEN
        PERFORM journal.append('course.enrolled', caller.subject,
            jsonb_build_object('account', caller.subject,
                               'course', enrol.slug),
            caller.traceparent);
    END IF;

    RETURN (CASE WHEN fresh THEN 201 ELSE 200 END,
            json_build_object(
                'course', enrol.slug,
                'enrolled_at', azora.rfc3339(since),
                'progress', learning.progress_document(caller.subject,
                                                       enrol.slug)),
            NULL,
            '/v1/courses/' || enrol.slug || '/enrolment')::azora.reply;
END
$$;

COMMENT ON FUNCTION learning.enrol(azora.caller, text) IS
    'POST /v1/courses/{slug}/enrolment';

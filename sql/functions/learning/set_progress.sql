CREATE OR REPLACE FUNCTION learning.set_progress(
    caller  azora.caller,
    slug    text,
    number  bigint,
    done    boolean
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    changed  boolean;
BEGIN
    IF NOT EXISTS (
        SELECT 1
        FROM learning.course_version AS v
             JOIN learning.lesson AS l
                  ON l.course = v.course AND l.version = v.version
        WHERE v.course = set_progress.slug
          AND v.state = 'published'
          AND l.number = set_progress.number)
    THEN
        PERFORM azora.refuse(404, 'not-found', 'There is no such lesson.');
    END IF;

    PERFORM learning.require_enrolment(caller.subject, slug);

    IF done THEN
        INSERT INTO learning.progress (account, course, number)
        VALUES (caller.subject, set_progress.slug, set_progress.number)
        ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM learning.progress AS p
        WHERE p.account = caller.subject
          AND p.course = set_progress.slug
          AND p.number = set_progress.number;
    END IF;

    changed := FOUND;

    IF changed THEN
        PERFORM journal.append(
            CASE WHEN done THEN 'lesson.finished' ELSE 'lesson.reopened' END,
            caller.subject,
            jsonb_build_object('account', caller.subject, 'course', slug,
                               'lesson', number),
            caller.traceparent);
    END IF;

    RETURN (200,
            json_build_object(
                'number', number,
                'done', done,
                'progress', learning.progress_document(caller.subject, slug)),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION learning.set_progress(azora.caller, text, bigint, boolean)
    IS 'PUT /v1/courses/{slug}/lessons/{number}/progress';

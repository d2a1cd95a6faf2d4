-- Begins an attempt, or gives back the one that is still open: a learner who
-- lost the answer to the first call loses neither time nor an attempt.
CREATE OR REPLACE FUNCTION learning.start_attempt(
    caller  azora.caller,
    id      uuid
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    course   text;
    attempt  uuid;
    status   int := 200;
BEGIN
    SELECT q.course INTO course
    FROM learning.quiz AS q
    WHERE q.id = start_attempt.id
      AND EXISTS (SELECT 1 FROM learning.course_version AS v
                  WHERE v.course = q.course AND v.state = 'published')
      AND EXISTS (SELECT 1 FROM learning.question AS o
                  WHERE o.quiz = q.id AND o.retired_at IS NULL);

    IF course IS NULL THEN
        PERFORM azora.refuse(404, 'not-found', 'There is no such quiz.');
    END IF;

    PERFORM learning.require_enrolment(caller.subject, course);

    SELECT a.id INTO attempt
    FROM learning.attempt AS a
    WHERE a.account = caller.subject
      AND a.quiz = start_attempt.id
      AND a.state = 'started'
      AND (a.expires_at IS NULL OR a.expires_at > now());

    IF attempt IS NULL THEN
        PERFORM learning.check_attempt(caller.subject, id, course);
        attempt := learning.new_attempt(caller.subject, id);
        status := 201;

        PERFORM journal.append('quiz.started', caller.subject,
            jsonb_build_object('account', caller.subject, 'quiz', id,
                               'attempt', attempt),
            caller.traceparent);
    END IF;

    RETURN (status, learning.attempt_document(attempt), NULL,
            '/v1/attempts/' || attempt)::azora.reply;
END
$$;

COMMENT ON FUNCTION learning.start_attempt(azora.caller, uuid) IS
    'POST /v1/quizzes/{id}/attempts';

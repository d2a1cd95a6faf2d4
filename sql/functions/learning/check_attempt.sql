-- Whether somebody may begin another attempt; the enrolment is locked.
CREATE OR REPLACE FUNCTION learning.check_attempt(
    account  uuid,
    quiz     uuid,
    course   text
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    open_lessons  bigint;
    spent         boolean;
BEGIN
    SELECT count(*) INTO open_lessons
    FROM learning.course_version AS v
         JOIN learning.lesson AS l
              ON l.course = v.course AND l.version = v.version
    WHERE v.course = check_attempt.course
      AND v.state = 'published'
      AND NOT EXISTS (
          SELECT 1 FROM learning.progress AS p
          WHERE p.account = check_attempt.account
            AND p.course = l.course
            AND p.number = l.number);

    IF open_lessons > 0 THEN
        PERFORM azora.refuse(409, 'lessons-unfinished',
            format('Finish the lessons first: %s to go.', open_lessons));
    END IF;

    SELECT count(*) >= q.attempts_max INTO spent
    FROM learning.quiz AS q
         JOIN learning.attempt AS a ON a.quiz = q.id
    WHERE q.id = check_attempt.quiz
      AND a.account = check_attempt.account
      AND a.started_at > now() - make_interval(hours => q.attempts_hours)
    GROUP BY q.attempts_max;

    IF spent THEN
        PERFORM azora.refuse(409, 'attempt-limit',
            'All attempts of these hours are used. Try again later.');
    END IF;
END
$$;

COMMENT ON FUNCTION learning.check_attempt(uuid, uuid, text) IS
    'Refuses an attempt that may not begin';

-- Grades and closes an attempt whose row is locked. Late work is accepted and
-- flagged. The score is in hundredths of a percent, rounded down, and the pass
-- mark is compared with the exact share.
CREATE OR REPLACE FUNCTION learning.grade_attempt(
    attempt  uuid,
    answers  jsonb,
    OUT quiz    uuid,
    OUT score   int,
    OUT passed  boolean
)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    earned  bigint;
    whole   bigint;
BEGIN
    UPDATE learning.attempt_question AS p
    SET answer = answers -> q.id::text,
        score = learning.grade_answer(q.kind, q.answer, q.points,
                                      answers -> q.id::text)
    FROM learning.question AS q
    WHERE p.attempt = grade_attempt.attempt AND q.id = p.question;

    SELECT sum(p.score), sum(q.points) INTO earned, whole
    FROM learning.attempt_question AS p
         JOIN learning.question AS q ON q.id = p.question
    WHERE p.attempt = grade_attempt.attempt;

    UPDATE learning.attempt AS a
    SET state = 'submitted',
        submitted_at = now(),
        late = coalesce(now() > a.expires_at, false),
        score = earned * 10000 / whole,
        passed = earned * 100 >= whole * q.pass_percent
    FROM learning.quiz AS q
    WHERE a.id = grade_attempt.attempt AND q.id = a.quiz
    RETURNING a.quiz, a.score, a.passed
    INTO grade_attempt.quiz, grade_attempt.score, grade_attempt.passed;
END
$$;

COMMENT ON FUNCTION learning.grade_attempt(uuid, jsonb) IS
    'Grades and closes an attempt';

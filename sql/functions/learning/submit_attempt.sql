-- Grades an attempt, once. The first pass of a quiz is journaled in the same
-- transaction, and the ledger answers that event with the reward.
CREATE OR REPLACE FUNCTION learning.submit_attempt(
    caller   azora.caller,
    id       uuid,
    answers  jsonb
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    state   text;
    result  record;
    reward  json;
BEGIN
    SELECT a.state INTO state
    FROM learning.attempt AS a
    WHERE a.id = submit_attempt.id AND a.account = caller.subject
    FOR NO KEY UPDATE;

    IF state IS NULL THEN
        PERFORM azora.refuse(404, 'not-found', 'There is no such attempt.');
    END IF;

    IF state <> 'started' THEN
        PERFORM azora.refuse(409, 'already-submitted',
                             'This attempt was handed in before.');
    END IF;

    PERFORM learning.check_answers(id, answers);

    SELECT g.quiz, g.score, g.passed INTO result
    FROM learning.grade_attempt(id, answers) AS g;

    PERFORM journal.append('quiz.submitted', caller.subject,
        jsonb_build_object('account', caller.subject, 'quiz', result.quiz,
                           'attempt', id, 'score', result.score,
                           'passed', result.passed),
        caller.traceparent);

    IF result.passed THEN
        reward := learning.first_pass(caller, result.quiz, id);
    END IF;

    RETURN (200,
            json_strip_nulls(json_build_object(
                'score', result.score / 100,
                'passed', result.passed,
                'reward', reward)),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION learning.submit_attempt(azora.caller, uuid, jsonb) IS
    'POST /v1/attempts/{id}/submission';

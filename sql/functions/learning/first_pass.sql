-- Records the first pass of a quiz and tells the journal; NULL when it was
-- passed before, or the reward that is on its way.
CREATE OR REPLACE FUNCTION learning.first_pass(
    caller   azora.caller,
    quiz     uuid,
    attempt  uuid
) RETURNS json
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    prize  record;
BEGIN
    INSERT INTO learning.pass (account, quiz, attempt)
    VALUES (caller.subject, first_pass.quiz, first_pass.attempt)
    ON CONFLICT DO NOTHING;

    IF NOT FOUND THEN
        RETURN NULL;
    END IF;

    UPDATE learning.enrolment AS e
    SET completed_at = now()
    FROM learning.quiz AS q
    WHERE q.id = first_pass.quiz
      AND e.account = caller.subject
      AND e.course = q.course;

    SELECT q.course, q.reward_currency, q.reward_minor INTO prize
    FROM learning.quiz AS q
    WHERE q.id = first_pass.quiz;

    PERFORM journal.append('course.passed', caller.subject,
        jsonb_strip_nulls(jsonb_build_object(
            'account', caller.subject,
            'course', prize.course,
            'quiz', first_pass.quiz,
            'attempt', first_pass.attempt,
            'currency', prize.reward_currency,
            'reward_minor', prize.reward_minor)),
        caller.traceparent);

    IF prize.reward_minor IS NULL THEN
        RETURN NULL;
    END IF;

    RETURN ledger.reward_document(prize.reward_currency, prize.reward_minor);
END
$$;

COMMENT ON FUNCTION learning.first_pass(azora.caller, uuid, uuid) IS
    'Makes the first pass of a quiz count, once';

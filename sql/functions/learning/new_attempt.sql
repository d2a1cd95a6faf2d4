-- Pins the current questions, shuffled, with their options shuffled too.
CREATE OR REPLACE FUNCTION learning.new_attempt(account uuid, quiz uuid)
RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    attempt  uuid := azora.uuid7();
BEGIN
    INSERT INTO learning.attempt (id, quiz, account, expires_at)
    SELECT attempt, q.id, new_attempt.account,
           now() + make_interval(mins => q.minutes_max)
    FROM learning.quiz AS q
    WHERE q.id = new_attempt.quiz;

    INSERT INTO learning.attempt_question (attempt, place, question, options)
    SELECT attempt, row_number() OVER (ORDER BY random()), q.id,
           coalesce((SELECT jsonb_agg(o.option ORDER BY random())
                     FROM jsonb_array_elements(q.options) AS o (option)),
                    '[]')
    FROM learning.question AS q
    WHERE q.quiz = new_attempt.quiz AND q.retired_at IS NULL;

    RETURN attempt;
END
$$;

COMMENT ON FUNCTION learning.new_attempt(uuid, uuid) IS
    'Makes an attempt with its questions';

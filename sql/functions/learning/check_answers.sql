-- Every name among the answers has to be a question of the attempt: a typing
-- error in an identifier must not cost points in silence.
CREATE OR REPLACE FUNCTION learning.check_answers(
    attempt  uuid,
    answers  jsonb
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    stranger  text;
BEGIN
    SELECT k.name INTO stranger
    FROM jsonb_object_keys(answers) AS k (name)
    WHERE NOT EXISTS (
        SELECT 1 FROM learning.attempt_question AS q
        WHERE q.attempt = check_answers.attempt
          AND q.question::text = k.name)
    LIMIT 1;

    IF stranger IS NOT NULL THEN
        PERFORM azora.refuse(422, 'unknown-question',
            'This attempt has no question of that name.',
            '/answers/' || replace(replace(left(stranger, 64),
                                           '~', '~0'), '/', '~1'));
    END IF;
END
$$;

COMMENT ON FUNCTION learning.check_answers(uuid, jsonb) IS
    'Refuses answers to questions that were not asked';

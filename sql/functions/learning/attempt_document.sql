-- An attempt as its learner sees it: never the key.
CREATE OR REPLACE FUNCTION learning.attempt_document(attempt uuid)
RETURNS json
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT json_strip_nulls(json_build_object(
            'id', a.id,
            'quiz', a.quiz,
            'state', a.state,
            'started_at', azora.rfc3339(a.started_at),
            'expires_at', azora.rfc3339(a.expires_at),
            'submitted_at', azora.rfc3339(a.submitted_at),
            'score', a.score / 100,
            'passed', a.passed,
            'questions', (
                SELECT json_agg(json_strip_nulls(json_build_object(
                           'id', q.id,
                           'kind', q.kind,
                           'prompt', q.prompt,
                           'options', CASE
                               WHEN jsonb_array_length(p.options) > 0
                               THEN p.options END,
                           'points', trim_scale(q.points / 100.0),
                           'answer', p.answer)) ORDER BY p.place)
                FROM learning.attempt_question AS p
                     JOIN learning.question AS q ON q.id = p.question
                WHERE p.attempt = a.id)))
        FROM learning.attempt AS a
        WHERE a.id = attempt_document.attempt);
END
$$;

COMMENT ON FUNCTION learning.attempt_document(uuid) IS
    'An attempt as its learner sees it';

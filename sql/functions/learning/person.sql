-- Everything that a person learnt: nobody else needs it.
CREATE OR REPLACE FUNCTION learning.erase_person(account uuid)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    DELETE FROM learning.pass AS p WHERE p.account = erase_person.account;
    DELETE FROM learning.attempt_question AS q
    WHERE q.attempt IN (SELECT a.id FROM learning.attempt AS a
                        WHERE a.account = erase_person.account);
    DELETE FROM learning.attempt AS a WHERE a.account = erase_person.account;
    DELETE FROM learning.progress AS p WHERE p.account = erase_person.account;
    DELETE FROM learning.enrolment AS e
    WHERE e.account = erase_person.account;
END
$$;

COMMENT ON FUNCTION learning.erase_person(uuid) IS
    'Forgets what a person learnt';

CREATE OR REPLACE FUNCTION learning.export_person(account uuid)
RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_build_object(
        'enrolments', (
            SELECT coalesce(json_agg(json_build_object(
                'course', e.course,
                'enrolled_at', azora.rfc3339(e.enrolled_at),
                'completed_at', azora.rfc3339(e.completed_at),
                'lessons', (
                    SELECT coalesce(json_agg(json_build_object(
                        'number', p.number,
                        'done_at', azora.rfc3339(p.done_at))
                        ORDER BY p.number), '[]')
                    FROM learning.progress AS p
                    WHERE p.account = e.account AND p.course = e.course))
                ORDER BY e.course), '[]')
            FROM learning.enrolment AS e
            WHERE e.account = export_person.account),
        'attempts', (
            SELECT coalesce(json_agg(json_build_object(
                'id', a.id,
                'quiz', a.quiz,
                'state', a.state,
                'started_at', azora.rfc3339(a.started_at),
                'submitted_at', azora.rfc3339(a.submitted_at),
                'score', a.score,
                'passed', a.passed,
                'answers', (
                    SELECT coalesce(json_agg(json_build_object(
                        'question', q.question,
                        'answer', q.answer,
                        'score', q.score) ORDER BY q.place), '[]')
                    FROM learning.attempt_question AS q
                    WHERE q.attempt = a.id)) ORDER BY a.id), '[]')
            FROM learning.attempt AS a
            WHERE a.account = export_person.account))
$$;

COMMENT ON FUNCTION learning.export_person(uuid) IS
    'Everything that is kept about what a person learnt';

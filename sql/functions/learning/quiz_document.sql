-- The quiz of a course as the catalogue shows it; NULL when it has none.
CREATE OR REPLACE FUNCTION learning.quiz_document(course text)
RETURNS json
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT json_strip_nulls(json_build_object(
            'id', q.id,
            'title', q.title,
            'pass_percent', q.pass_percent,
            'minutes', q.minutes_max,
            'reward', CASE WHEN q.reward_minor IS NOT NULL
                THEN json_build_object(
                    'currency', q.reward_currency,
                    'amount', ledger.money_text(q.reward_currency,
                                                q.reward_minor))
                END))
        FROM learning.quiz AS q
        WHERE q.course = quiz_document.course);
END
$$;

COMMENT ON FUNCTION learning.quiz_document(text) IS
    'A quiz as the catalogue shows it';

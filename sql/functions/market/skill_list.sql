-- Skills as they were sent: a list of at most 20 short words.
CREATE OR REPLACE FUNCTION market.skill_list(skills jsonb)
RETURNS text[]
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    listed  text[];
BEGIN
    IF skills IS NULL THEN
        RETURN '{}';
    END IF;

    IF jsonb_typeof(skills) <> 'array' OR jsonb_array_length(skills) > 20
       OR EXISTS (SELECT 1 FROM jsonb_array_elements(skills) AS s (skill)
                  WHERE jsonb_typeof(s.skill) <> 'string'
                     OR length(s.skill #>> '{}') NOT BETWEEN 1 AND 64)
    THEN
        PERFORM azora.refuse(422, 'invalid-skills',
            'Skills are at most 20 texts of at most 64 characters.',
            '/skills');
    END IF;

    SELECT array_agg(s.skill) INTO listed
    FROM jsonb_array_elements_text(skills) AS s (skill);

    RETURN coalesce(listed, '{}');
END
$$;

COMMENT ON FUNCTION market.skill_list(jsonb) IS
    'Skills of a job, or a refusal';

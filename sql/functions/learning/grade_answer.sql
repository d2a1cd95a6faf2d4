-- Hundredths of a point for one answer. An answer of the wrong form, or none,
-- earns nothing: it is a mistake of the learner, not of the request.
--   single    "a"               boolean   true
--   multiple  ["a","c"]         numeric   12.5 or "12.5"
--   text      "words"
-- A multiple choice earns the share of right choices less wrong ones.
CREATE OR REPLACE FUNCTION learning.grade_answer(
    kind    text,
    key     jsonb,
    points  int,
    answer  jsonb
) RETURNS int
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    said   text := answer #>> '{}';
    right_ones  numeric;
    wrong_ones  numeric;
BEGIN
    IF answer IS NULL OR jsonb_typeof(answer) = 'null' THEN
        RETURN 0;
    END IF;

    CASE kind
    WHEN 'single' THEN
        RETURN CASE WHEN answer = key -> 'option' THEN points ELSE 0 END;

    WHEN 'boolean' THEN
        RETURN CASE WHEN answer = key -> 'value' THEN points ELSE 0 END;

    WHEN 'multiple' THEN
        IF jsonb_typeof(answer) <> 'array' THEN
            RETURN 0;
        END IF;

        -- A list among the choices would be contained in the key as well.
        SELECT count(*) FILTER (WHERE c.is_right),
               count(*) FILTER (WHERE NOT c.is_right)
        INTO right_ones, wrong_ones
        FROM (SELECT DISTINCT e.choice,
                     jsonb_typeof(e.choice) = 'string'
                     AND key -> 'options' @> e.choice AS is_right
              FROM jsonb_array_elements(answer) AS e (choice)) AS c;

        RETURN trunc(points * greatest(0, right_ones - wrong_ones)
                     / jsonb_array_length(key -> 'options'));

    WHEN 'numeric' THEN
        -- Bounded before the cast: numeric would take a megabyte of digits.
        IF said !~ '^-?[0-9]{1,30}(\.[0-9]{1,30})?$' THEN
            RETURN 0;
        END IF;

        RETURN CASE
            WHEN abs(said::numeric - (key ->> 'value')::numeric)
                 <= coalesce((key ->> 'tolerance')::numeric, 0)
            THEN points ELSE 0 END;

    WHEN 'text' THEN
        RETURN CASE WHEN learning.same_text(key, said)
                    THEN points ELSE 0 END;
    END CASE;
END
$$;

COMMENT ON FUNCTION learning.grade_answer(text, jsonb, int, jsonb) IS
    'Points for an answer, in hundredths';

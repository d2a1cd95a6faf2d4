CREATE OR REPLACE FUNCTION court.roman(number int)
RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT btrim(to_char(number, 'RN'))
$$;

COMMENT ON FUNCTION court.roman(int) IS 'An article''s number as it is cited';

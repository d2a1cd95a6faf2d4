-- Where a list by rising texts, or by numbers, goes on: behind the cursor, from
-- the first without one. NULL when the cursor does not hold what such a list
-- gave, which the pattern says.
CREATE OR REPLACE FUNCTION azora.cursor_text(
    cursor   text,
    pattern  text,
    "first"  text DEFAULT ''
) RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    value  text;
BEGIN
    IF cursor IS NULL THEN
        RETURN "first";
    END IF;

    value := azora.cursor_decode(cursor);

    RETURN CASE WHEN value ~ pattern THEN value END;
END
$$;

COMMENT ON FUNCTION azora.cursor_text(text, text, text) IS
    'Where a list by rising texts goes on';

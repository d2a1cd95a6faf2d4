-- Where a list by falling UUIDs goes on: behind the cursor, from the newest
-- without one. NULL when the cursor is not one that such a list gave.
CREATE OR REPLACE FUNCTION azora.cursor_uuid(cursor text)
RETURNS uuid
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    value  text;
BEGIN
    IF cursor IS NULL THEN
        RETURN 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    END IF;

    value := azora.cursor_decode(cursor);

    RETURN CASE WHEN azora.is_uuid(value) THEN value::uuid END;
END
$$;

COMMENT ON FUNCTION azora.cursor_uuid(text) IS
    'Where a list by falling UUIDs goes on';

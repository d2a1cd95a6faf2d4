-- What may be cast to uuid: a cast of anything else raises, and reads must not.
CREATE OR REPLACE FUNCTION azora.uuid_pattern()
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
$$;

COMMENT ON FUNCTION azora.uuid_pattern() IS 'Regular expression of a UUID';

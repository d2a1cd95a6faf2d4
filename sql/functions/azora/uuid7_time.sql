-- When a UUIDv7 was made, to the millisecond (RFC 9562, 5.7). STABLE as adding an
-- interval is, or it would not be put in place.
CREATE OR REPLACE FUNCTION azora.uuid7_time(id uuid)
RETURNS timestamptz
LANGUAGE sql STABLE
AS $$
    SELECT timestamptz 'epoch' + interval '1 millisecond'
           * ('x0000' || translate(left(id::text, 13), '-', ''))
             ::bit(64)::bigint
$$;

COMMENT ON FUNCTION azora.uuid7_time(uuid) IS 'When a UUIDv7 was made';

-- The first 15 characters of a UUIDv7: a set-based statement computes them
-- once and appends the tail of a random UUID to each.
CREATE OR REPLACE FUNCTION azora.uuid7_prefix(at timestamptz)
RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-7'
    FROM (SELECT lpad(to_hex((extract(epoch FROM at) * 1000)::bigint),
                      12, '0')) AS t (h)
$$;

COMMENT ON FUNCTION azora.uuid7_prefix(timestamptz) IS
    'Time half of a UUIDv7';

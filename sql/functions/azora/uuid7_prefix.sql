-- The first 15 characters of a UUIDv7: a set-based statement computes them
-- once and lays them over a random UUID for each. One expression, so that
-- the planner puts it in place instead of calling a function.
CREATE OR REPLACE FUNCTION azora.uuid7_prefix(at timestamptz)
RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT overlay(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint),
                        12, '0')
                   PLACING '-' FROM 9 FOR 0) || '-7'
$$;

COMMENT ON FUNCTION azora.uuid7_prefix(timestamptz) IS
    'Time half of a UUIDv7';

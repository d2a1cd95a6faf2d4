-- The first 18 characters of a UUIDv7: a set-based statement computes them
-- once and lays them over a random UUID for each. The 12 bits behind the
-- milliseconds are their fraction (RFC 9562, 6.2, method 3), so that what was
-- made one after the other sorts so: microseconds * 4096 / 1000 are both in
-- one number, and the version goes in between. One expression that names the
-- time once is put in place, clock_timestamp() and all.
CREATE OR REPLACE FUNCTION azora.uuid7_prefix(at timestamptz)
RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT overlay(overlay(
               lpad(to_hex((date_part('epoch', at) * 1000000)::bigint
                           * 512 / 125), 15, '0')
               PLACING '-7' FROM 13 FOR 0)
               PLACING '-' FROM 9 FOR 0)
$$;

COMMENT ON FUNCTION azora.uuid7_prefix(timestamptz) IS
    'Time half of a UUIDv7';

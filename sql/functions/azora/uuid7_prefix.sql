-- The first 18 characters of a UUIDv7: a set-based statement computes them
-- once and lays them over a random UUID for each. The 12 bits behind the
-- milliseconds are their fraction (RFC 9562, 6.2, method 3), so that what was
-- made one after the other sorts so.
CREATE OR REPLACE FUNCTION azora.uuid7_prefix(at timestamptz)
RETURNS text
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    us  bigint := extract(epoch FROM at) * 1000000;
BEGIN
    RETURN overlay(lpad(to_hex(us / 1000), 12, '0') PLACING '-' FROM 9 FOR 0)
           || '-7' || lpad(to_hex(us % 1000 * 4096 / 1000), 3, '0');
END
$$;

COMMENT ON FUNCTION azora.uuid7_prefix(timestamptz) IS
    'Time half of a UUIDv7';

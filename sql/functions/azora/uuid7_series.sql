-- Many UUIDv7 of one moment, rising: after the time comes a random number, and
-- each further one has the next (RFC 9562, 6.2, method 2). A quarter of the
-- cost of a random number for each, and neighbours in an index. Whoever knows
-- one can guess the next: ids are names and never secrets.
CREATE OR REPLACE FUNCTION azora.uuid7_series(at timestamptz, n int)
RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    prefix  text := azora.uuid7_prefix(at) || '8';
    -- 59 bits, so that counting on cannot leave the 15 digits.
    start   bigint := ('x0' || right(gen_random_uuid()::text, 12)
                       || substr(gen_random_uuid()::text, 1, 3))::bit(64)
                      ::bigint >> 1;
BEGIN
    RETURN ARRAY(
        SELECT (prefix || lpad(to_hex(start + g), 15, '0'))::uuid
        FROM generate_series(0, n - 1) AS g);
END
$$;

COMMENT ON FUNCTION azora.uuid7_series(timestamptz, int) IS
    'Many UUIDv7 at once';

-- UUIDv7 (RFC 9562, 5.7): 60 bits of Unix time, then random bits, so
-- that keys grow at the end of their index.
CREATE OR REPLACE FUNCTION azora.uuid7()
RETURNS uuid
LANGUAGE sql VOLATILE
AS $$
    SELECT overlay(gen_random_uuid()::text
                   PLACING azora.uuid7_prefix(clock_timestamp())
                   FROM 1 FOR 18)::uuid
$$;

COMMENT ON FUNCTION azora.uuid7() IS 'A new UUIDv7';

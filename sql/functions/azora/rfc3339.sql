-- RFC 3339 in UTC, to the millisecond.
CREATE OR REPLACE FUNCTION azora.rfc3339(at timestamptz)
RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

COMMENT ON FUNCTION azora.rfc3339(timestamptz) IS 'A time as it is sent';

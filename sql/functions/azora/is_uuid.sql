-- What may be cast to uuid: a cast of anything else raises, and neither reads
-- nor batches may. No regular expression, because it runs for every transfer.
CREATE OR REPLACE FUNCTION azora.is_uuid(value text)
RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT value LIKE '________-____-____-____-____________'
           AND translate(value, '0123456789abcdefABCDEF', '') = '----'
$$;

COMMENT ON FUNCTION azora.is_uuid(text) IS
    'Whether a text can be cast to uuid';

-- The network of an address, enough to recognise a session by; NULL for what
-- is no address, as a Unix socket.
CREATE OR REPLACE FUNCTION identity.address_prefix(address text)
RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    host  inet;
BEGIN
    host := address::inet;

    RETURN network(set_masklen(host, CASE family(host)
                                     WHEN 4 THEN 24 ELSE 48 END))::text;
EXCEPTION
    WHEN invalid_text_representation THEN
        RETURN NULL;
END
$$;

COMMENT ON FUNCTION identity.address_prefix(text) IS
    'Network of an address, /24 or /48';

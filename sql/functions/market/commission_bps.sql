CREATE OR REPLACE FUNCTION market.commission_bps()
RETURNS int
LANGUAGE sql IMMUTABLE
AS $$
    SELECT 1500
$$;

COMMENT ON FUNCTION market.commission_bps() IS
    'Commission of new contracts in basis points; old ones keep theirs';

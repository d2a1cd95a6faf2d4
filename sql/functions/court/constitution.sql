CREATE OR REPLACE FUNCTION court.constitution(caller azora.caller)
RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    enacted  jsonb := court.constitution_text();
BEGIN
    RETURN (200,
            json_build_object(
                'hash', court.constitution_hash(),
                'principles', enacted -> 'principles',
                'articles', enacted -> 'articles',
                'rules', enacted -> 'rules'),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION court.constitution(azora.caller) IS
    'GET /v1/constitution';

-- What a read function answers about one thing: the thing, or that there is
-- none that the caller may see.
CREATE OR REPLACE FUNCTION azora.found(document json, detail text)
RETURNS azora.reply
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    IF document IS NULL THEN
        RETURN azora.refusal(404, 'not-found', detail);
    END IF;

    RETURN (200, document, NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION azora.found(json, text) IS
    'One thing, or that there is none';

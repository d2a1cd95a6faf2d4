-- Compares short answers after Unicode normalisation (NFKC), with white space
-- folded, and in lower case unless the key says that case matters.
CREATE OR REPLACE FUNCTION learning.same_text(key jsonb, said text)
RETURNS boolean
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    RETURN EXISTS (
        SELECT 1
        FROM jsonb_array_elements_text(key -> 'accept') AS a (accepted)
        WHERE CASE WHEN (key ->> 'case')::boolean
              THEN learning.folded(a.accepted) = learning.folded(said)
              ELSE lower(learning.folded(a.accepted))
                   = lower(learning.folded(said))
              END);
END
$$;

COMMENT ON FUNCTION learning.same_text(jsonb, text) IS
    'Whether a short answer is accepted';

CREATE OR REPLACE FUNCTION learning.folded(said text)
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT btrim(regexp_replace(normalize(said, NFKC), '\s+', ' ', 'g'))
$$;

COMMENT ON FUNCTION learning.folded(text) IS
    'Text in normal form with single spaces';

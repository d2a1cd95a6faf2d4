-- Cursors are base64url, so that nobody builds on what is inside. Decoding
-- never raises: what is not a cursor gives NULL, bytes that are not ASCII come
-- out escaped and fail the caller's own check of the form. Encoding is STABLE as
-- convert_to() is, or it would not be put in place.
CREATE OR REPLACE FUNCTION azora.cursor_encode(value text)
RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT translate(encode(convert_to(value, 'UTF8'), 'base64'),
                     E'+/=\n', '-_')
$$;

COMMENT ON FUNCTION azora.cursor_encode(text) IS
    'Hides the place where a page ended';

CREATE OR REPLACE FUNCTION azora.cursor_decode(cursor text)
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE
        WHEN cursor ~ '^[A-Za-z0-9_-]+$' AND length(cursor) <= 512
             AND length(cursor) % 4 <> 1
        THEN encode(decode(rpad(translate(cursor, '-_', '+/'),
                                (length(cursor) + 3) / 4 * 4, '='),
                           'base64'),
                    'escape')
    END
$$;

COMMENT ON FUNCTION azora.cursor_decode(text) IS
    'What a cursor holds, NULL when it is none';

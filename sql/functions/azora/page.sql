-- A page of a list. items holds one more than was asked for when there is
-- another page; keys are the values that a cursor continues from.
CREATE OR REPLACE FUNCTION azora.page(
    items     json[],
    keys      text[],
    page_size bigint
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF cardinality(items) > page_size THEN
        RETURN (200,
                json_build_object(
                    'items', array_to_json(items[1:page_size]),
                    'next', azora.cursor_encode(keys[page_size])),
                NULL, NULL)::azora.reply;
    END IF;

    RETURN (200,
            json_build_object('items', array_to_json(coalesce(items, '{}')),
                              'next', NULL),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION azora.page(json[], text[], bigint) IS
    'A list reply with its cursor';

CREATE OR REPLACE FUNCTION azora.page_size("limit" bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$
    SELECT greatest(1, least(100, coalesce("limit", 20)))
$$;

COMMENT ON FUNCTION azora.page_size(bigint) IS
    'Items on a page: 20 unless asked, at most 100';

CREATE OR REPLACE FUNCTION azora.invalid_cursor()
RETURNS azora.reply
LANGUAGE sql IMMUTABLE
AS $$
    SELECT azora.refusal(400, 'invalid-cursor',
                         'The cursor is not one that this list gave.')
$$;

COMMENT ON FUNCTION azora.invalid_cursor() IS
    'What a cursor of one''s own making gets';

-- A page of a statement as CSV (RFC 4180): the body is one JSON string, the
-- location is the next page. Names and memos are other people's words: with an
-- apostrophe before them no spreadsheet takes one for a formula, which some
-- also begin with a sign of double width.
CREATE OR REPLACE FUNCTION ledger.statement_csv(
    items     json[],
    keys      text[],
    size      bigint,
    currency  text,
    "from"    timestamptz,
    "to"      timestamptz
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    head     text := E'seq,at,amount,balance,kind,counterparty,memo,transfer\r\n';
    lines    text;
    next     text;
    -- what is asked for again has to be the same to the microsecond
    precise  CONSTANT text := 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"';
BEGIN
    SELECT string_agg(
               concat_ws(',', i.line ->> 'seq', i.line ->> 'at',
                         i.line ->> 'amount', i.line ->> 'balance',
                         i.line ->> 'kind',
                         coalesce(i.line ->> 'counterparty', ''),
                         '"' || CASE WHEN i.line ->> 'memo'
                                          ~ '^[=+@\t\r\n\uFF0B\uFF0D\uFF1D\uFF20-]'
                                     THEN '''' ELSE '' END
                         || coalesce(replace(i.line ->> 'memo', '"', '""'),
                                     '') || '"',
                         i.line ->> 'transfer') || E'\r\n',
               '' ORDER BY i.n)
    INTO lines
    FROM unnest(items[1:size]) WITH ORDINALITY AS i (line, n);

    IF cardinality(items) > size THEN
        next := '/v1/wallets/' || currency || '/statement?format=csv&limit='
                || size || '&cursor=' || azora.cursor_encode(keys[size])
                || coalesce('&from=' || to_char("from" AT TIME ZONE 'UTC',
                                                precise), '')
                || coalesce('&to=' || to_char("to" AT TIME ZONE 'UTC',
                                              precise), '');
    END IF;

    RETURN (200, to_json(head || coalesce(lines, '')), NULL,
            next)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.statement_csv(json[], text[], bigint, text,
                                         timestamptz, timestamptz) IS
    'A page of a statement as CSV';

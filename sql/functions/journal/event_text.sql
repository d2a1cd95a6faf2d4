-- An event as consumers outside get it: CloudEvents 1.0 in JSON. Its source is
-- the log and its id the number there, which together are unique for good.
-- What is too large to be sent around is referred to instead.
CREATE OR REPLACE FUNCTION journal.event_text(
    source       text,
    seq          bigint,
    entry        uuid,
    type         text,
    at           timestamptz,
    subject      uuid,
    body         json,
    traceparent  text
) RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT '{"specversion":"1.0","id":"' || seq
           || '","source":' || to_json(source)
           || ',"type":' || to_json(type)
           || coalesce(',"subject":"' || subject || '"', '')
           || ',"time":"' || azora.rfc3339(at)
           || '","entry":"' || entry || '"'
           || coalesce(',"traceparent":' || to_json(traceparent), '')
           || CASE
              WHEN octet_length(body::text) > 65536
              THEN ',"dataref":"/v1/me/receipts/' || entry || '"}'
              ELSE ',"datacontenttype":"application/json","data":'
                   || body::text || '}'
              END
$$;

COMMENT ON FUNCTION journal.event_text(
    text, bigint, uuid, text, timestamptz, uuid, json, text) IS
    'An event as CloudEvents has it';

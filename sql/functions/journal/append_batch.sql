-- Appends many events of one type and returns their entries in the same order.
-- Salts are SHA-256 of a secret that is forgotten at once and a counter: as
-- hard to guess as random ones, and cheaper.
CREATE OR REPLACE FUNCTION journal.append_batch(
    type         text,
    subjects     uuid[],
    payloads     json[],
    traceparents text[]
) RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    minute   timestamptz := date_trunc('minute', now());
    secret   bytea := uuid_send(gen_random_uuid())
                      || uuid_send(gen_random_uuid());
    entries  uuid[] := azora.uuid7_series(clock_timestamp(),
                                          cardinality(payloads));
BEGIN
    WITH item AS MATERIALIZED (
        SELECT i.id, sha256(secret || int8send(i.n)) AS salt,
               i.payload, i.subject, i.traceparent
        FROM unnest(entries, payloads, subjects, traceparents)
             WITH ORDINALITY AS i (id, payload, subject, traceparent, n)
    ), entered AS (
        INSERT INTO journal.entry (id, type, at, payload_hash)
        SELECT i.id, append_batch.type, minute,
               sha256(i.salt || convert_to(i.payload::text, 'UTF8'))
        FROM item AS i
    )
    INSERT INTO journal.payload (entry, salt, body, subject, traceparent)
    SELECT i.id, i.salt, i.payload, i.subject, i.traceparent
    FROM item AS i;

    IF EXISTS (SELECT FROM journal.subscription AS s
               WHERE s.type = append_batch.type)
    THEN
        PERFORM journal.deliver(type, entries);
    END IF;

    RETURN entries;
END
$$;

COMMENT ON FUNCTION journal.append_batch(text, uuid[], json[], text[]) IS
    'Records many events of one type at once';

-- Appends one event in the transaction that did it and returns its entry. The
-- caller gives facts only: account ids belong in the payload, which can be
-- erased, never in the type.
-- Two plain rows: what append_batch() does for many at once costs one event
-- twice as much. The salt is a hash because 32 bytes are asked for; the 122
-- random bits in it are what keeps an erased body from being guessed.
CREATE OR REPLACE FUNCTION journal.append(
    type         text,
    subject      uuid,
    payload      jsonb,
    traceparent  text DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    entry  uuid := azora.uuid7();
    body   text := payload;
    salt   bytea := sha256(uuid_send(gen_random_uuid()));
BEGIN
    INSERT INTO journal.entry (id, type, at, payload_hash)
    VALUES (entry, type, date_trunc('minute', now()),
            sha256(salt || convert_to(body, 'UTF8')));

    INSERT INTO journal.payload (entry, salt, body, subject, traceparent)
    VALUES (entry, salt, body::json, subject, traceparent);

    IF EXISTS (SELECT FROM journal.subscription AS s
               WHERE s.type = append.type)
    THEN
        PERFORM journal.deliver(type, ARRAY[entry]);
    END IF;

    RETURN entry;
END
$$;

COMMENT ON FUNCTION journal.append(text, uuid, jsonb, text) IS
    'Records what happened';

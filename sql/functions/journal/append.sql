-- Appends one event in the transaction that did it and returns its entry. The
-- caller gives facts only: account ids belong in the payload, which can be
-- erased, never in the type.
-- One statement for both rows, because each costs as much to begin as its row;
-- append_batch() would cost one event twice as much. The salt is a hash because
-- 32 bytes are asked for; the 122 random bits in it are what keeps an erased
-- body from being guessed. The entry's name has its random half from the hash,
-- which is public anyway.
CREATE OR REPLACE FUNCTION journal.append(
    type         text,
    subject      uuid,
    payload      jsonb,
    traceparent  text DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    body    text := payload;
    salt    bytea := sha256(uuid_send(gen_random_uuid()));
    hash    bytea := sha256(salt || convert_to(body, 'UTF8'));
    entry   uuid := azora.uuid7_prefix(clock_timestamp())
                    || '8' || left(encode(hash, 'hex'), 15);
    wanted  boolean;
BEGIN
    WITH entered AS (
        INSERT INTO journal.entry (id, type, at, payload_hash)
        VALUES (entry, type, date_bin('1 minute', now(), 'epoch'), hash)
    )
    INSERT INTO journal.payload (entry, salt, body, subject, traceparent)
    VALUES (entry, salt, body::json, subject, traceparent)
    RETURNING EXISTS (SELECT FROM journal.subscription AS s
                      WHERE s.type = append.type)
    INTO wanted;

    IF wanted THEN
        PERFORM journal.deliver(type, ARRAY[entry]);
    END IF;

    RETURN entry;
END
$$;

COMMENT ON FUNCTION journal.append(text, uuid, jsonb, text) IS
    'Records what happened';

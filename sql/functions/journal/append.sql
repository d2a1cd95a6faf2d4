-- Appends one event in the transaction that did it and returns its entry. The
-- caller gives facts only: account ids belong in the payload, which can be
-- erased, never in the type.
CREATE OR REPLACE FUNCTION journal.append(
    type         text,
    subject      uuid,
    payload      jsonb,
    traceparent  text DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN (journal.append_batch(type, ARRAY[subject],
                                 ARRAY[payload::json],
                                 ARRAY[traceparent]))[1];
END
$$;

COMMENT ON FUNCTION journal.append(text, uuid, jsonb, text) IS
    'Records what happened';

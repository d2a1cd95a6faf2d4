-- First half of an Idempotency-Key: the caller passes when the key is new. A
-- racing repeat waits here for the first one's commit and then gets its answer
-- by SQLSTATE AZ000 (MESSAGE status, DETAIL body, HINT location), so that the
-- endpoint's function never runs twice. A key whose request failed was rolled
-- back with it and is new again. A plan of the time when there were few keys
-- must not read all of them later, here and in the second half.
CREATE OR REPLACE FUNCTION azora.idempotency_begin(caller azora.caller)
RETURNS azora.caller
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    who   uuid := coalesce(caller.subject,
                           '00000000-0000-0000-0000-000000000000');
    kept  record;
BEGIN
    IF caller.idempotency_key IS NULL THEN
        RETURN caller;
    END IF;

    IF length(caller.idempotency_key) NOT BETWEEN 1 AND 255 THEN
        PERFORM azora.refuse(400, 'invalid-idempotency-key',
            'An Idempotency-Key has 1 to 255 characters.');
    END IF;

    INSERT INTO azora.idempotency (subject, route, key, payload_hash)
    VALUES (who, coalesce(caller.route, ''), caller.idempotency_key,
            coalesce(caller.payload_hash, ''))
    ON CONFLICT DO NOTHING;

    IF FOUND THEN
        RETURN caller;
    END IF;

    SELECT i.payload_hash, i.status, i.body, i.location INTO kept
    FROM azora.idempotency AS i
    WHERE i.subject = who
      AND i.route = coalesce(caller.route, '')
      AND i.key = caller.idempotency_key;

    IF kept.payload_hash IS DISTINCT FROM coalesce(caller.payload_hash, '')
    THEN
        PERFORM azora.refuse(422, 'idempotency-conflict',
            'This Idempotency-Key was used for another request.');
    END IF;

    IF kept.status IS NULL THEN
        PERFORM azora.refuse(409, 'idempotency-in-progress',
            'The first request with this Idempotency-Key is not over.');
    END IF;

    RAISE EXCEPTION USING
        ERRCODE = 'AZ000',
        MESSAGE = kept.status,
        DETAIL = coalesce(kept.body::text, ''),
        HINT = coalesce(kept.location, '');
END
$$;

COMMENT ON FUNCTION azora.idempotency_begin(azora.caller) IS
    'Claims an Idempotency-Key, or answers for it';

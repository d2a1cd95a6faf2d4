-- Second half: stores the reply beside the key, in the effect's transaction.
CREATE OR REPLACE FUNCTION azora.idempotency_keep(
    caller  azora.caller,
    reply   azora.reply
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
BEGIN
    IF caller.idempotency_key IS NULL THEN
        RETURN reply;
    END IF;

    UPDATE azora.idempotency AS i
    SET status = reply.status,
        body = reply.body,
        etag = reply.etag,
        location = reply.location
    WHERE i.subject = coalesce(caller.subject,
                               '00000000-0000-0000-0000-000000000000')
      AND i.route = coalesce(caller.route, '')
      AND i.key = caller.idempotency_key;

    RETURN reply;
END
$$;

COMMENT ON FUNCTION azora.idempotency_keep(azora.caller, azora.reply) IS
    'Keeps the reply that a repeat will get';

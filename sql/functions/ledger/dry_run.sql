-- What a transfer would be answered, with nothing done: it is made and taken
-- back. Its key is neither used nor looked at. What it locked is free again
-- afterwards, so that rehearsals before a batch do not disturb its order.
CREATE OR REPLACE FUNCTION ledger.rehearse(
    currency  text,
    caller    azora.caller,
    "to"      text,
    amount    text,
    memo      text
) RETURNS azora.batch_reply
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    item   ledger.item;
    reply  azora.batch_reply;
BEGIN
    caller.idempotency_key := NULL;
    caller.payload_hash := NULL;

    BEGIN
        item := (ledger.careful_batch(ARRAY[caller], ARRAY[currency],
                                      ARRAY["to"], ARRAY[amount],
                                      ARRAY[memo]))[1];

        RAISE SQLSTATE 'AZ001' USING MESSAGE = 'take back';
    EXCEPTION
        WHEN SQLSTATE 'AZ001' THEN
            NULL;
    END;

    IF item.problem IS NOT NULL THEN
        SELECT NULL, p.status, NULL, NULL, NULL, p.problem, p.detail,
               p.pointer
        INTO reply
        FROM ledger.transfer_problem() AS p
        WHERE p.problem = item.problem;

        RETURN reply;
    END IF;

    reply.status := 200;
    reply.body := json_strip_nulls(json_build_object(
        'dry_run', true,
        'currency', item.currency,
        'amount', ledger.money_text(item.currency, item.amount),
        'to', item.recipient,
        'memo', item.memo));

    RETURN reply;
END
$$;

COMMENT ON FUNCTION ledger.rehearse(text, azora.caller, text, text, text) IS
    'What a transfer would be answered';

-- A batch in which some are only asked what would be: those first, and then
-- the others as a batch of their own.
CREATE OR REPLACE FUNCTION ledger.mixed_batch(
    dry_run     boolean[],
    callers     azora.caller[],
    currencies  text[],
    addresses   text[],
    amounts     text[],
    memos       text[],
    metadata    jsonb[]
) RETURNS SETOF azora.batch_reply
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    places  int[] := '{}';
    reply   azora.batch_reply;
BEGIN
    FOR n IN 1 .. cardinality(callers) LOOP
        IF dry_run[n] IS NOT TRUE THEN
            places := places || n;
            CONTINUE;
        END IF;

        reply := ledger.rehearse(currencies[n], callers[n], addresses[n],
                                 amounts[n], memos[n]);
        reply.ordinal := n;
        RETURN NEXT reply;
    END LOOP;

    IF cardinality(places) = 0 THEN
        RETURN;
    END IF;

    RETURN QUERY
    SELECT places[r.ordinal], r.status, r.body, r.etag, r.location,
           r.problem, r.detail, r.pointer
    FROM ledger.transfer_batch(
        ARRAY(SELECT callers[p.n] FROM unnest(places) AS p (n)),
        ARRAY(SELECT currencies[p.n] FROM unnest(places) AS p (n)),
        ARRAY(SELECT addresses[p.n] FROM unnest(places) AS p (n)),
        ARRAY(SELECT amounts[p.n] FROM unnest(places) AS p (n)),
        ARRAY(SELECT memos[p.n] FROM unnest(places) AS p (n)),
        ARRAY(SELECT metadata[p.n] FROM unnest(places) AS p (n))) AS r;
END
$$;

COMMENT ON FUNCTION ledger.mixed_batch(boolean[], azora.caller[], text[], text[],
                                       text[], text[], jsonb[]) IS
    'A batch in which some are rehearsed';

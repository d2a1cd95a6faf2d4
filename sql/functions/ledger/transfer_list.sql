-- Up to 1,000 transfers of one sender in one request: each decided by itself
-- in the order given, or with atomic all of them or none, in which case the
-- first that is not good is what the request is refused with. The key is the
-- request's, so that the items have none.
CREATE OR REPLACE FUNCTION ledger.transfer_list(
    caller    azora.caller,
    currency  text,
    items     jsonb,
    atomic    boolean
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM ledger.require_currency(currency);

    RETURN ledger.send_list(items, caller, currency, atomic, '/items/');
END
$$;

COMMENT ON FUNCTION ledger.transfer_list(azora.caller, text, jsonb,
                                         boolean) IS
    'POST /v1/transfers/batch';

-- The same for lists that stand elsewhere in the request.
CREATE OR REPLACE FUNCTION ledger.send_list(
    items     jsonb,
    caller    azora.caller,
    currency  text,
    atomic    boolean,
    pointer   text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    n        int := jsonb_array_length(items);
    sender   azora.caller := caller;
    replies  azora.batch_reply[];
    refused  azora.batch_reply;
BEGIN
    sender.idempotency_key := NULL;
    sender.payload_hash := NULL;

    replies := ARRAY(
        SELECT r
        FROM ledger.transfer_batch(
            array_fill(sender, ARRAY[n]), array_fill(currency, ARRAY[n]),
            ARRAY(SELECT i.item ->> 'to'
                  FROM jsonb_array_elements(items) WITH ORDINALITY
                       AS i (item, n) ORDER BY i.n),
            ARRAY(SELECT i.item ->> 'amount'
                  FROM jsonb_array_elements(items) WITH ORDINALITY
                       AS i (item, n) ORDER BY i.n),
            ARRAY(SELECT i.item ->> 'memo'
                  FROM jsonb_array_elements(items) WITH ORDINALITY
                       AS i (item, n) ORDER BY i.n)) AS r
        ORDER BY r.ordinal);

    SELECT r.ordinal, r.status, NULL, NULL, NULL, r.problem, r.detail,
           r.pointer
    INTO refused
    FROM unnest(replies) AS r
    WHERE r.problem IS NOT NULL
    ORDER BY r.ordinal
    LIMIT 1;

    IF atomic AND refused.problem IS NOT NULL THEN
        PERFORM azora.refuse(refused.status, refused.problem,
            'Nothing was done, because of item ' || refused.ordinal || ' of '
            || n || ': ' || refused.detail,
            send_list.pointer || refused.ordinal - 1
            || coalesce(refused.pointer, ''));
    END IF;

    RETURN (200, ledger.list_document(replies), NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.send_list(jsonb, azora.caller, text, boolean,
                                     text) IS
    'Transfers of one sender';

-- The results of a list in its order.
CREATE OR REPLACE FUNCTION ledger.list_document(replies azora.batch_reply[])
RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_build_object(
        'made', count(*) FILTER (WHERE r.problem IS NULL),
        'refused', count(*) FILTER (WHERE r.problem IS NOT NULL),
        'items', json_agg(
            CASE WHEN r.problem IS NULL
                 THEN json_build_object('status', r.status,
                                        'transfer', r.body)
                 ELSE json_build_object('status', r.status,
                                        'type', '/problems/' || r.problem,
                                        'detail', r.detail)
            END ORDER BY r.ordinal))
    FROM unnest(replies) AS r
$$;

COMMENT ON FUNCTION ledger.list_document(azora.batch_reply[]) IS
    'The results of a list of transfers';

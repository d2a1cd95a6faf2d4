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

-- The same for lists that stand elsewhere in the request, at pointer. currency
-- is for items that name none.
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
    replies  azora.batch_reply[] := ledger.list_replies(items, caller,
                                                        currency, pointer);
    refused  azora.batch_reply;
BEGIN
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
            || cardinality(replies) || ': ' || refused.detail,
            refused.pointer);
    END IF;

    RETURN (200, ledger.list_document(replies), NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.send_list(jsonb, azora.caller, text, boolean,
                                     text) IS
    'Transfers of one sender';

-- The answers to the items by their place, each with what is wrong in the
-- request. A currency is a field here and no address, so that one which does
-- not exist is wrong (422) and not missing (404).
CREATE OR REPLACE FUNCTION ledger.list_replies(
    items     jsonb,
    caller    azora.caller,
    currency  text,
    pointer   text
) RETURNS azora.batch_reply[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    sender      azora.caller := caller;
    currencies  text[];
    recipients  text[];
    amounts     text[];
    memos       text[];
    metadata    jsonb[];
BEGIN
    sender.idempotency_key := NULL;
    sender.payload_hash := NULL;

    SELECT array_agg(coalesce(i.item ->> 'currency', list_replies.currency)
                     ORDER BY i.n),
           array_agg(i.item ->> 'to' ORDER BY i.n),
           array_agg(i.item ->> 'amount' ORDER BY i.n),
           array_agg(i.item ->> 'memo' ORDER BY i.n),
           array_agg(nullif(i.item -> 'metadata', 'null') ORDER BY i.n)
    INTO currencies, recipients, amounts, memos, metadata
    FROM jsonb_array_elements(items) WITH ORDINALITY AS i (item, n);

    RETURN ARRAY(
        SELECT (r.ordinal,
                CASE r.problem WHEN 'unknown-currency' THEN 422
                               ELSE r.status END,
                r.body, r.etag, r.location, r.problem,
                CASE WHEN currencies[r.ordinal] IS NULL
                     THEN 'Neither the item nor the list names a currency.'
                     ELSE r.detail END,
                CASE WHEN r.problem IS NOT NULL
                     THEN list_replies.pointer || r.ordinal - 1
                          || CASE r.problem
                             WHEN 'unknown-currency' THEN '/currency'
                             ELSE coalesce(r.pointer, '') END
                END)::azora.batch_reply
        FROM ledger.transfer_batch(
            array_fill(sender, ARRAY[cardinality(recipients)]), currencies,
            recipients, amounts, memos, metadata) AS r
        ORDER BY r.ordinal);
END
$$;

COMMENT ON FUNCTION ledger.list_replies(jsonb, azora.caller, text, text) IS
    'The answers to the items of a list';

-- The results of a list in its order.
CREATE OR REPLACE FUNCTION ledger.list_document(replies azora.batch_reply[])
RETURNS json
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT json_build_object(
            'made', count(*) FILTER (WHERE r.problem IS NULL),
            'refused', count(*) FILTER (WHERE r.problem IS NOT NULL),
            'items', json_agg(
                CASE WHEN r.problem IS NULL
                     THEN json_build_object('status', r.status,
                                            'transfer', r.body)
                     ELSE json_build_object('status', r.status,
                                            'type', '/problems/' || r.problem,
                                            'detail', r.detail,
                                            'pointer', r.pointer)
                END ORDER BY r.ordinal))
        FROM unnest(replies) AS r);
END
$$;

COMMENT ON FUNCTION ledger.list_document(azora.batch_reply[]) IS
    'The results of a list of transfers';

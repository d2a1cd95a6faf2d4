-- One transfer: a batch of one, for callers in SQL.
CREATE OR REPLACE FUNCTION ledger.transfer(
    caller    azora.caller,
    currency  text,
    "to"      text,
    amount    text,
    memo      text DEFAULT NULL
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item  azora.batch_reply;
BEGIN
    SELECT b.ordinal, b.status, b.body, b.etag, b.location, b.problem,
           b.detail, b.pointer
    INTO item
    FROM ledger.transfer_batch(ARRAY[caller], ARRAY[currency], ARRAY["to"],
                               ARRAY[amount], ARRAY[memo]) AS b;

    IF item.problem IS NOT NULL THEN
        PERFORM azora.refuse(item.status, item.problem, item.detail,
                             item.pointer);
    END IF;

    RETURN (item.status, item.body, item.etag, item.location)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.transfer(azora.caller, text, text, text, text) IS
    'POST /v1/wallets/{currency}/transfers, one of them';

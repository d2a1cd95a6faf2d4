-- Many transfers in one call and one commit, each with a result of its own.
-- Items of one sender with one Idempotency-Key have one effect: in the batch
-- the later ones get the first one's answer, across connections the sender's
-- lock makes the second wait until it can see the first.
CREATE OR REPLACE FUNCTION ledger.transfer_batch(
    callers   azora.caller[],
    currency  text[],
    "to"      text[],
    amount    text[],
    memo      text[]
) RETURNS SETOF azora.batch_reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    items   ledger.item[];
    states  ledger.state[];
BEGIN
    items := ledger.read_items(callers, currency, "to", amount, memo, NULL);

    IF EXISTS (SELECT 1 FROM unnest(items) AS i
               WHERE i.problem = 'unknown-recipient')
    THEN
        items := ledger.read_items(callers, currency, "to", amount, memo,
                                   ledger.find_recipients(items));
    END IF;

    states := ledger.lock_items(items);

    IF ledger.apply_whole(items, states) THEN
        PERFORM ledger.journal_transfers(callers, items);
        RETURN QUERY
        SELECT r.ordinal, r.status, r.body, r.etag, r.location, r.problem,
               r.detail, r.pointer
        FROM ledger.good_replies(items) AS r;
        RETURN;
    END IF;

    items := ledger.decide(items, states);
    PERFORM ledger.apply_accepted(callers, items, states);
    RETURN QUERY
    SELECT r.ordinal, r.status, r.body, r.etag, r.location, r.problem,
           r.detail, r.pointer
    FROM ledger.mixed_replies(items) AS r;
END
$$;

COMMENT ON FUNCTION ledger.transfer_batch(azora.caller[], text[], text[],
                                          text[], text[]) IS
    'POST /v1/wallets/{currency}/transfers, many at once';

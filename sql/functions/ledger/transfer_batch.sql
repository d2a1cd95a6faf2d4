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
    items     ledger.item[];
    accepted  ledger.item[];
BEGIN
    items := ledger.read_items(callers, currency, "to", amount, memo);

    IF EXISTS (SELECT 1 FROM unnest(items) AS i
               WHERE i.problem = 'unknown-recipient')
    THEN
        items := ledger.find_recipients(items);
    END IF;

    PERFORM ledger.lock_accounts(ARRAY(
        SELECT a.id
        FROM unnest(items) AS i
             CROSS JOIN LATERAL (VALUES (i.debit), (i.credit)) AS a (id)
        WHERE i.problem IS NULL));

    items := ledger.decide(items);

    accepted := ARRAY(
        SELECT i FROM unnest(items) AS i
        WHERE i.problem IS NULL AND i.original IS NULL AND i.leader = i.n);

    IF cardinality(accepted) > 0 THEN
        PERFORM ledger.apply(accepted);
        PERFORM ledger.journal_transfers(callers, accepted);
    END IF;

    RETURN QUERY
    SELECT r.ordinal, r.status, r.body, NULL::text, r.location, r.problem,
           r.detail, r.pointer
    FROM ledger.transfer_replies(items) AS r;
END
$$;

COMMENT ON FUNCTION ledger.transfer_batch(azora.caller[], text[], text[],
                                          text[], text[]) IS
    'POST /v1/wallets/{currency}/transfers, many at once';

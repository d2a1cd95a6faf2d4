-- Many transfers in one call and one commit, each with a result of its own.
-- Items of one sender with one Idempotency-Key have one effect: in the batch
-- the later ones get the first one's answer, across connections the sender's
-- lock makes the second wait until it can see the first. Plans are generic,
-- because planning for each array anew costs more than running the plan.
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
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    items  ledger.item[];
BEGIN
    items := ledger.quick_batch(callers, currency, "to", amount, memo);

    IF items IS NOT NULL THEN
        RETURN QUERY
        SELECT r.ordinal, r.status, r.body, r.etag, r.location, r.problem,
               r.detail, r.pointer
        FROM ledger.good_replies(items) AS r;
        RETURN;
    END IF;

    items := ledger.careful_batch(callers, currency, "to", amount, memo);

    RETURN QUERY
    SELECT r.ordinal, r.status, r.body, r.etag, r.location, r.problem,
           r.detail, r.pointer
    FROM ledger.mixed_replies(items) AS r;
END
$$;

COMMENT ON FUNCTION ledger.transfer_batch(azora.caller[], text[], text[],
                                          text[], text[]) IS
    'POST /v1/wallets/{currency}/transfers, many at once';

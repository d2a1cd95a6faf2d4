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
    memo      text[],
    metadata  jsonb[] DEFAULT NULL,
    dry_run   boolean[] DEFAULT NULL
) RETURNS SETOF azora.batch_reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    replies  azora.batch_reply[];
    items    ledger.item[];
BEGIN
    IF true = ANY (dry_run) THEN
        RETURN QUERY
        SELECT r.ordinal, r.status, r.body, r.etag, r.location, r.problem,
               r.detail, r.pointer
        FROM ledger.mixed_batch(dry_run, callers, currency, "to", amount,
                                memo, metadata) AS r;
        RETURN;
    END IF;

    replies := ledger.quick_batch(callers, currency, "to", amount, memo,
                                  metadata);

    IF replies IS NOT NULL THEN
        RETURN QUERY
        SELECT r.ordinal, r.status, r.body, r.etag, r.location, r.problem,
               r.detail, r.pointer
        FROM unnest(replies) AS r;
        RETURN;
    END IF;

    items := ledger.careful_batch(callers, currency, "to", amount, memo);

    IF cardinality(array_remove(metadata, NULL)) > 0 THEN
        PERFORM ledger.keep_metadata(items, metadata);
    END IF;

    RETURN QUERY
    SELECT r.ordinal, r.status, r.body, r.etag, r.location, r.problem,
           r.detail, r.pointer
    FROM ledger.mixed_replies(items) AS r;
END
$$;

COMMENT ON FUNCTION ledger.transfer_batch(azora.caller[], text[], text[],
                                          text[], text[], jsonb[],
                                          boolean[]) IS
    'POST /v1/wallets/{currency}/transfers, many at once';

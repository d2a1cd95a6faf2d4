-- Moves money between known accounts for other functions: all of it or a
-- refusal. Fields that are asked of each item: debit, credit, amount,
-- currency, kind; reference and memo where there is one. Gives the transfers;
-- items of nothing, as the fee of a refund, make none. What is closed can pay
-- what it owes, and gets nothing.
CREATE OR REPLACE FUNCTION ledger.post(items ledger.item[])
RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    numbered  ledger.item[];
    states    ledger.state[];
    prefix    text;
BEGIN
    IF EXISTS (SELECT 1 FROM unnest(items) AS i WHERE i.amount < 0) THEN
        RAISE EXCEPTION 'a movement of a negative amount';
    END IF;

    states := ledger.lock_accounts(ARRAY(
        SELECT a.id
        FROM unnest(items) AS i
             CROSS JOIN LATERAL (VALUES (i.debit), (i.credit)) AS a (id)
        WHERE i.amount > 0));

    -- Under the locks, because it gives the time of the postings.
    prefix := azora.uuid7_prefix(clock_timestamp());

    SELECT array_agg((
               u.n, overlay(gen_random_uuid()::text PLACING prefix
                               FROM 1 FOR 18)::uuid,
               u.debit, u.credit, u.amount, u.currency, u.kind, u.reference,
               u.recipient, u.memo, NULL, NULL, NULL, NULL,
               u.n)::ledger.item ORDER BY u.n)
    INTO numbered
    FROM unnest(items) WITH ORDINALITY
         AS u (i, id, debit, credit, amount, currency, kind, reference,
               recipient, memo, key, payload_hash, problem, original, leader,
               n)
    WHERE u.amount > 0;

    IF EXISTS (SELECT 1 FROM unnest(states) AS s WHERE s.frozen)
       OR EXISTS (SELECT 1
                  FROM unnest(items) AS i
                       JOIN ledger.account AS a ON a.id = i.credit
                  WHERE i.amount > 0 AND a.closed_at IS NOT NULL)
    THEN
        PERFORM ledger.refuse_transfer('account-frozen');
    END IF;

    PERFORM ledger.apply(numbered, states);

    RETURN ARRAY(SELECT i.id FROM unnest(numbered) AS i);
END
$$;

COMMENT ON FUNCTION ledger.post(ledger.item[]) IS
    'Moves money between known accounts';

-- An item for post().
CREATE OR REPLACE FUNCTION ledger.movement(
    debit      bigint,
    credit     bigint,
    amount     bigint,
    currency   text,
    kind       text,
    reference  uuid DEFAULT NULL,
    memo       text DEFAULT NULL
) RETURNS ledger.item
LANGUAGE sql IMMUTABLE
AS $$
    SELECT (NULL, NULL, debit, credit, amount, currency, kind, reference,
            NULL, memo, NULL, NULL, NULL, NULL, NULL)::ledger.item
$$;

COMMENT ON FUNCTION ledger.movement(bigint, bigint, bigint, text, text, uuid,
                                    text) IS 'An item for post()';

-- The careful way, under the accounts' locks, for a batch that is not good as
-- a whole: frozen wallets, repeated keys, and then funds in the order of
-- arrival. What was done before stays done, whatever has become of its
-- recipient. Gives the items with problem, original and leader filled in.
CREATE OR REPLACE FUNCTION ledger.decide(
    items   ledger.item[],
    states  ledger.state[]
) RETURNS ledger.item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    decided  ledger.item[];
BEGIN
    SELECT array_agg((
               d.n, d.id, d.debit, d.credit, d.amount, d.currency, d.kind,
               d.reference, d.recipient, d.memo, d.key, d.payload_hash,
               CASE
                   WHEN d.original IS NULL AND d.problem IS NOT NULL
                   THEN d.problem
                   WHEN d.hash_before IS DISTINCT FROM d.payload_hash
                   THEN 'idempotency-conflict'
                   WHEN d.original IS NULL AND d.frozen THEN 'account-frozen'
               END,
               d.original, d.leader)::ledger.item ORDER BY d.n)
    INTO decided
    FROM (
        SELECT i.n, i.id, i.debit, i.credit, i.amount, i.currency, i.kind,
               i.reference, i.recipient, i.memo, i.key, i.payload_hash,
               i.problem, t.id AS original,
               CASE WHEN t.id IS NOT NULL THEN t.payload_hash
                    ELSE first_value(i.payload_hash) OVER by_key
               END AS hash_before,
               first_value(i.n) OVER by_key AS leader,
               s.frozen OR r.frozen AS frozen
        FROM unnest(items) AS i
             LEFT JOIN unnest(states) AS s ON s.id = i.debit
             LEFT JOIN unnest(states) AS r ON r.id = i.credit
             LEFT JOIN ledger.transfer AS t
                  ON t.debit = i.debit
                 AND t.key = i.key
        WINDOW by_key AS (
            PARTITION BY i.debit, i.key,
                         CASE WHEN i.key IS NULL OR i.problem IS NOT NULL
                              THEN i.n END
            ORDER BY i.n)
    ) AS d;

    RETURN ledger.decide_funds(decided, states);
END
$$;

COMMENT ON FUNCTION ledger.decide(ledger.item[], ledger.state[]) IS
    'Decides the items of a batch one by one';

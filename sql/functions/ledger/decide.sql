-- Third step, under the accounts' locks: frozen wallets, repeated keys, funds.
-- When every sender could pay all of its items at once, all are good; only
-- when one could not are they decided one by one.
CREATE OR REPLACE FUNCTION ledger.decide(items ledger.item[])
RETURNS ledger.item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    decided  ledger.item[];
    short    boolean;
BEGIN
    SELECT array_agg((
               d.n, d.id, d.debit, d.credit, d.amount, d.currency, d.kind,
               d.reference, d.recipient, d.memo, d.key, d.payload_hash,
               CASE
                   WHEN d.problem IS NOT NULL THEN d.problem
                   WHEN d.hash_before IS DISTINCT FROM d.payload_hash
                   THEN 'idempotency-conflict'
                   WHEN d.original IS NULL AND d.frozen THEN 'account-frozen'
               END,
               d.original, d.leader)::ledger.item),
           bool_or(d.spent > d.available)
    INTO decided, short
    FROM (
        SELECT i.n, i.id, i.debit, i.credit, i.amount, i.currency, i.kind,
               i.reference, i.recipient, i.memo, i.key, i.payload_hash,
               i.problem, t.id AS original,
               CASE WHEN t.id IS NOT NULL THEN t.payload_hash
                    ELSE first_value(i.payload_hash) OVER by_key
               END AS hash_before,
               first_value(i.n) OVER by_key AS leader,
               s.frozen OR r.frozen AS frozen,
               s.balance - s.held - s.floor AS available,
               sum(i.amount) OVER (PARTITION BY i.debit) AS spent
        FROM unnest(items) AS i
             LEFT JOIN ledger.account AS s ON s.id = i.debit
             LEFT JOIN ledger.account AS r ON r.id = i.credit
             LEFT JOIN ledger.transfer AS t
                  ON t.debit = i.debit AND t.key = i.key
        WINDOW by_key AS (PARTITION BY i.debit, i.key,
                          CASE WHEN i.key IS NULL OR i.debit IS NULL
                               THEN i.n END
                          ORDER BY i.n)
        ORDER BY i.n
    ) AS d;

    IF short THEN
        RETURN ledger.decide_funds(decided);
    END IF;

    RETURN decided;
END
$$;

COMMENT ON FUNCTION ledger.decide(ledger.item[]) IS
    'Decides the items of a batch';

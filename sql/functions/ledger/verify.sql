-- What is wrong with the books: no row when all invariants hold. Reads every
-- posting, so it is for tests and auditors and not for requests.
CREATE OR REPLACE FUNCTION ledger.verify()
RETURNS TABLE (invariant text, account bigint)
LANGUAGE sql STABLE
AS $$
    -- Per currency the balances make zero.
    SELECT 'sum of ' || a.currency || ' is not zero', NULL::bigint
    FROM ledger.account AS a
    GROUP BY a.currency
    HAVING sum(a.balance) <> 0
    UNION ALL
    -- A balance is the sum of its postings, its sequence their number.
    SELECT 'balance or sequence differs from the postings', a.id
    FROM ledger.account AS a
         LEFT JOIN (SELECT p.account, sum(p.amount) AS total,
                           count(*) AS postings, max(p.seq) AS last
                    FROM ledger.posting AS p
                    GROUP BY p.account) AS s ON s.account = a.id
    WHERE a.balance <> coalesce(s.total, 0)
       OR a.sequence <> coalesce(s.postings, 0)
       OR a.sequence <> coalesce(s.last, 0)
    UNION ALL
    -- Postings are numbered without gaps, each balance follows the last.
    SELECT 'posting ' || p.seq || ' does not follow the one before',
           p.account
    FROM (SELECT q.account, q.seq, q.balance, q.amount,
                 lag(q.seq, 1, 0::bigint) OVER w AS seq_before,
                 lag(q.balance, 1, 0::bigint) OVER w AS balance_before
          FROM ledger.posting AS q
          WINDOW w AS (PARTITION BY q.account ORDER BY q.seq)) AS p
    WHERE p.seq <> p.seq_before + 1
       OR p.balance <> p.balance_before + p.amount
    UNION ALL
    -- A transfer has its two postings, and a posting its transfer.
    SELECT 'transfer ' || coalesce(t.id, p.transfer)
           || ' has not its two postings', t.debit
    FROM ledger.transfer AS t
         FULL JOIN (SELECT q.transfer, array_agg(q.account) AS accounts,
                           sum(q.amount) AS total, max(q.amount) AS amount,
                           count(*) AS postings
                    FROM ledger.posting AS q
                    GROUP BY q.transfer) AS p ON p.transfer = t.id
    WHERE t.id IS NULL OR p.transfer IS NULL OR p.postings <> 2
       OR p.total <> 0 OR p.amount <> t.amount
       OR NOT p.accounts @> ARRAY[t.debit, t.credit]
    UNION ALL
    -- What is held is what the pending holds say.
    SELECT 'held differs from the pending holds', a.id
    FROM ledger.account AS a
         LEFT JOIN (SELECT h.account, sum(h.amount) AS held
                    FROM ledger.hold AS h
                    WHERE h.state = 'pending'
                    GROUP BY h.account) AS s ON s.account = a.id
    WHERE a.held <> coalesce(s.held, 0)
    UNION ALL
    -- Parts of a split account are only credited.
    SELECT 'a part of a split account was debited', t.debit
    FROM ledger.transfer AS t
         JOIN ledger.account AS a ON a.id = t.debit
    WHERE a.parent IS NOT NULL
$$;

COMMENT ON FUNCTION ledger.verify() IS
    'Broken invariants of the ledger';

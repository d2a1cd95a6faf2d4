-- Writes transfers that were decided on, in the order of the array: the rows,
-- two postings each with the next numbers and running balances of their
-- accounts, and one update for each account. The accounts are locked.
CREATE OR REPLACE FUNCTION ledger.apply(items ledger.item[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    WITH item AS MATERIALIZED (
        SELECT i.n, i.id, i.debit, i.credit, i.amount, i.currency, i.kind,
               i.reference, i.recipient, i.memo, i.key, i.payload_hash
        FROM unnest(items) AS i
    ), moved AS (
        INSERT INTO ledger.transfer
            (id, debit, credit, amount, currency, kind, reference, recipient,
             memo, key, payload_hash, created_at)
        SELECT i.id, i.debit, i.credit, i.amount, i.currency, i.kind,
               i.reference, i.recipient, i.memo, i.key, i.payload_hash, now()
        FROM item AS i
    ), leg AS MATERIALIZED (
        SELECT i.n, i.debit AS account, -i.amount AS amount, i.id
        FROM item AS i
        UNION ALL
        SELECT i.n, i.credit, i.amount, i.id
        FROM item AS i
    ), posted AS (
        INSERT INTO ledger.posting (account, seq, amount, balance, transfer)
        SELECT l.account,
               a.sequence + row_number() OVER by_account,
               l.amount,
               a.balance + sum(l.amount) OVER by_account,
               l.id
        FROM leg AS l
             JOIN ledger.account AS a ON a.id = l.account
        WINDOW by_account AS (PARTITION BY l.account ORDER BY l.n
                              ROWS UNBOUNDED PRECEDING)
    )
    UPDATE ledger.account AS a
    SET balance = a.balance + s.amount,
        sequence = a.sequence + s.postings
    FROM (SELECT l.account, sum(l.amount) AS amount, count(*) AS postings
          FROM leg AS l
          GROUP BY l.account) AS s
    WHERE a.id = s.account;
END
$$;

COMMENT ON FUNCTION ledger.apply(ledger.item[]) IS
    'Writes transfers that were decided on';

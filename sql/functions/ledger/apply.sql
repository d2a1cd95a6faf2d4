-- Writes transfers in the order of the array, all or none: one row each with
-- the next numbers and the running balances of its two accounts, and one
-- update for each account. The accounts are locked and in states. Raises AZ409
-- when one would at any time go below what it has to keep, AZ422 when it would
-- go beyond 64 bits, and unique_violation when a key was used before.
CREATE OR REPLACE FUNCTION ledger.apply(
    items   ledger.item[],
    states  ledger.state[]
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    changed   bigint;
    accounts  bigint;
    -- Ids are made under the locks, so that the times of an account rise with
    -- the numbers of its postings, which those of transactions do not.
    at        timestamptz := azora.uuid7_time(items[1].id);
BEGIN
    -- Both writes read run, so that its check comes before them.
    WITH item AS MATERIALIZED (
        SELECT i.n, i.id, i.debit, i.credit, i.amount, i.currency, i.kind,
               i.reference, i.recipient, i.memo, i.key, i.payload_hash
        FROM unnest(items) AS i
    ), run AS MATERIALIZED (
        SELECT r.n, r.id, r.place, r.seq, r.amount,
               CASE WHEN r.amount < 0 AND r.balance < r.reserve
                    THEN ledger.not_posted('insufficient-funds')
                    WHEN r.balance > 9223372036854775807
                    THEN ledger.not_posted('amount-out-of-range')
                    ELSE r.balance
               END AS balance
        FROM (SELECT l.n, s.id, s.place, s.reserve, l.amount,
                     s.sequence + row_number() OVER by_account AS seq,
                     s.balance + sum(l.amount) OVER by_account AS balance
              FROM (SELECT i.n, i.debit AS account, -i.amount AS amount
                    FROM item AS i
                    UNION ALL
                    SELECT i.n, i.credit, i.amount
                    FROM item AS i) AS l
                   JOIN unnest(states) AS s ON s.id = l.account
              WINDOW by_account AS (PARTITION BY s.id ORDER BY l.n
                                    ROWS UNBOUNDED PRECEDING)) AS r
    ), posted AS (
        INSERT INTO ledger.transfer
            (id, debit, debit_seq, debit_balance, credit, credit_seq,
             credit_balance, amount, created_at, reference, currency, kind,
             recipient, memo, key, payload_hash)
        SELECT i.id, i.debit, d.seq, d.balance, i.credit, c.seq, c.balance,
               i.amount, at, i.reference, i.currency, i.kind,
               i.recipient, i.memo, i.key, i.payload_hash
        FROM item AS i
             JOIN run AS d ON d.n = i.n AND d.amount < 0
             JOIN run AS c ON c.n = i.n AND c.amount > 0
    ), total AS (
        SELECT r.id, r.place, sum(r.amount) AS amount, max(r.seq) AS last
        FROM run AS r
        GROUP BY r.id, r.place
    ), written AS (
        UPDATE ledger.account AS a
        SET balance = a.balance + t.amount,
            sequence = t.last
        FROM total AS t
        WHERE a.ctid = t.place AND a.id = t.id
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM written), (SELECT count(*) FROM total)
    INTO changed, accounts;

    IF changed <> accounts THEN
        RAISE EXCEPTION 'an account moved although it was locked';
    END IF;
END
$$;

COMMENT ON FUNCTION ledger.apply(ledger.item[], ledger.state[]) IS
    'Writes transfers, all or none';

CREATE OR REPLACE FUNCTION ledger.not_posted(problem text)
RETURNS numeric
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM ledger.refuse_transfer(problem);
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION ledger.not_posted(text) IS 'Stops apply()';

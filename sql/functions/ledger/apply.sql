-- Writes transfers in the order of the array, all or none: the rows, two
-- postings each with the next numbers and running balances of their accounts,
-- and one update for each account. The accounts are locked and in states.
-- Raises AZ409 when one would at any time go below what it has to keep, and
-- unique_violation when a key was used before.
CREATE OR REPLACE FUNCTION ledger.apply(
    items   ledger.item[],
    states  ledger.state[]
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    changed   bigint;
    accounts  bigint;
BEGIN
    INSERT INTO ledger.transfer
        (id, debit, credit, amount, currency, kind, reference, recipient,
         memo, key, payload_hash, created_at)
    SELECT i.id, i.debit, i.credit, i.amount, i.currency, i.kind,
           i.reference, i.recipient, i.memo, i.key, i.payload_hash, now()
    FROM unnest(items) AS i;

    -- The check comes before both writes, because both read run.
    WITH run AS MATERIALIZED (
        SELECT r.account, r.place, r.seq, r.amount,
               CASE WHEN r.amount < 0 AND r.balance < r.reserve
                    THEN ledger.overdrawn()
                    ELSE r.balance
               END AS balance,
               r.id
        FROM (SELECT s.id AS account, s.place, s.reserve, l.amount, l.id,
                     s.sequence + row_number() OVER by_account AS seq,
                     s.balance + sum(l.amount) OVER by_account AS balance
              FROM (SELECT i.n, i.debit AS account, -i.amount AS amount, i.id
                    FROM unnest(items) AS i
                    UNION ALL
                    SELECT i.n, i.credit, i.amount, i.id
                    FROM unnest(items) AS i) AS l
                   JOIN unnest(states) AS s ON s.id = l.account
              WINDOW by_account AS (PARTITION BY l.account ORDER BY l.n
                                    ROWS UNBOUNDED PRECEDING)) AS r
    ), posted AS (
        INSERT INTO ledger.posting (account, seq, amount, balance, transfer)
        SELECT r.account, r.seq, r.amount, r.balance, r.id
        FROM run AS r
    ), total AS (
        SELECT r.account, r.place, sum(r.amount) AS amount,
               count(*) AS postings
        FROM run AS r
        GROUP BY r.account, r.place
    ), written AS (
        UPDATE ledger.account AS a
        SET balance = a.balance + t.amount,
            sequence = a.sequence + t.postings
        FROM total AS t
        WHERE a.ctid = t.place AND a.id = t.account
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

CREATE OR REPLACE FUNCTION ledger.overdrawn()
RETURNS numeric
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM azora.refuse(409, 'insufficient-funds',
        'The wallet has less available than this amount.');
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION ledger.overdrawn() IS 'Stops apply()';

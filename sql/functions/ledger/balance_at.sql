-- The posting of an account with this number.
CREATE OR REPLACE FUNCTION ledger.posting_at(account bigint, seq bigint)
RETURNS TABLE (amount bigint, balance bigint, at timestamptz, transfer uuid)
LANGUAGE sql STABLE
AS $$
    SELECT -t.amount, t.debit_balance, t.created_at, t.id
    FROM ledger.transfer AS t
    WHERE t.debit = posting_at.account AND t.debit_seq = posting_at.seq
    UNION ALL
    SELECT t.amount, t.credit_balance, t.created_at, t.id
    FROM ledger.transfer AS t
    WHERE t.credit = posting_at.account AND t.credit_seq = posting_at.seq
$$;

COMMENT ON FUNCTION ledger.posting_at(bigint, bigint) IS
    'A posting by its number';

-- Number of the last posting of an account that was made at or before a time,
-- 0 when there is none. Times rise with the numbers, so halving finds it: 20
-- steps for a million postings, and no index by time to be paid for by each.
CREATE OR REPLACE FUNCTION ledger.sequence_at(account bigint, at timestamptz)
RETURNS bigint
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    low     bigint := 0;
    high    bigint := (SELECT a.sequence FROM ledger.account AS a
                       WHERE a.id = account);
    middle  bigint;
BEGIN
    WHILE low < high LOOP
        middle := low + (high - low + 1) / 2;

        IF (SELECT p.at FROM ledger.posting_at(account, middle) AS p)
           <= sequence_at.at
        THEN
            low := middle;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;

    RETURN low;
END
$$;

COMMENT ON FUNCTION ledger.sequence_at(bigint, timestamptz) IS
    'Number of the last posting at a time';

-- What an account had and what of it was held at a time.
CREATE OR REPLACE FUNCTION ledger.balance_at(
    account  bigint,
    at       timestamptz,
    OUT balance  bigint,
    OUT held     bigint
)
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    balance := coalesce((
        SELECT p.balance
        FROM ledger.posting_at(balance_at.account,
                               ledger.sequence_at(balance_at.account,
                                                  balance_at.at)) AS p), 0);
    held := (
        SELECT coalesce(sum(h.amount), 0)
        FROM ledger.hold AS h
        WHERE h.account = balance_at.account
          AND h.created_at <= balance_at.at
          AND (h.settled_at IS NULL OR h.settled_at > balance_at.at));
END
$$;

COMMENT ON FUNCTION ledger.balance_at(bigint, timestamptz) IS
    'Balance of an account at a time';

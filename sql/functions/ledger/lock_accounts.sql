-- Locks accounts in the order of their ids, whoever asks, so that no two
-- transactions wait for each other in a circle, and gives their state. A row
-- that this had to wait for is read again by LockRows, so what comes back is
-- as new as the lock; any other table has to be read by a later statement.
CREATE OR REPLACE FUNCTION ledger.lock_accounts(ids bigint[])
RETURNS ledger.state[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    states  ledger.state[];
BEGIN
    SELECT array_agg((l.id, l.ctid, l.balance, l.held + l.floor, l.sequence,
                      l.frozen)::ledger.state)
    INTO states
    FROM (SELECT a.id, a.ctid, a.balance, a.held, a.floor, a.sequence,
                 a.frozen
          FROM ledger.account AS a
          WHERE a.id = ANY (ids)
          ORDER BY a.id
          FOR NO KEY UPDATE) AS l;

    RETURN states;
END
$$;

COMMENT ON FUNCTION ledger.lock_accounts(bigint[]) IS
    'Locks accounts in the order of their ids';

-- The accounts of a batch that nothing is wrong with so far.
CREATE OR REPLACE FUNCTION ledger.lock_items(items ledger.item[])
RETURNS ledger.state[]
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN ledger.lock_accounts(ARRAY(
        SELECT i.debit FROM unnest(items) AS i WHERE i.problem IS NULL
        UNION ALL
        SELECT i.credit FROM unnest(items) AS i WHERE i.problem IS NULL));
END
$$;

COMMENT ON FUNCTION ledger.lock_items(ledger.item[]) IS
    'Locks the accounts of a batch';

-- Locks accounts in the order of their ids, whoever asks, so that no two
-- transactions wait for each other. It is a statement of its own: what a
-- statement reads after waiting for a lock is as old as its snapshot, so the
-- balances are read by a later one.
CREATE OR REPLACE FUNCTION ledger.lock_accounts(ids bigint[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM 1
    FROM ledger.account AS a
    WHERE a.id = ANY (ids)
    ORDER BY a.id
    FOR NO KEY UPDATE;
END
$$;

COMMENT ON FUNCTION ledger.lock_accounts(bigint[]) IS
    'Locks accounts in the order of their ids';

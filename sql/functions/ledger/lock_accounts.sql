-- Locks accounts in the order of their ids, whoever asks, so that no two
-- transactions wait for each other in a circle, and gives their state. A row
-- that this had to wait for is read again by LockRows, so what comes back is
-- as new as the lock; any other table has to be read by a later statement.
CREATE OR REPLACE FUNCTION ledger.lock_accounts(ids bigint[])
RETURNS ledger.state[]
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN ARRAY(
        SELECT (l.id, l.ctid, l.owner, l.currency, l.balance,
                l.held + l.floor, l.sequence, l.frozen)::ledger.state
        FROM (SELECT a.id, a.ctid, a.owner, a.currency, a.balance, a.held,
                     a.floor, a.sequence, a.frozen
              FROM ledger.account AS a
              WHERE a.id = ANY (ids)
              ORDER BY a.id
              FOR NO KEY UPDATE) AS l);
END
$$;

COMMENT ON FUNCTION ledger.lock_accounts(bigint[]) IS
    'Locks accounts in the order of their ids';

-- The same for the wallets of a batch, those of the callers and of the
-- recipients, as far as they exist and are not closed. Asked for as arrays,
-- because an index is walked through for an array at half the cost of a join;
-- a batch in several currencies may so lock wallets of its people that it does
-- not need.
CREATE OR REPLACE FUNCTION ledger.lock_wallets(
    callers     azora.caller[],
    owners      uuid[],
    currencies  text[]
) RETURNS ledger.state[]
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN ARRAY(
        SELECT (l.id, l.ctid, l.owner, l.currency, l.balance,
                l.held + l.floor, l.sequence, l.frozen)::ledger.state
        FROM (SELECT a.id, a.ctid, a.owner, a.currency, a.balance, a.held,
                     a.floor, a.sequence, a.frozen
              FROM ledger.account AS a
              WHERE a.owner = ANY (
                  owners || ARRAY(SELECT c.subject FROM unnest(callers) AS c))
                AND a.currency = ANY (currencies)
                AND a.kind = 'wallet'
                AND a.closed_at IS NULL
              ORDER BY a.id
              FOR NO KEY UPDATE) AS l);
END
$$;

COMMENT ON FUNCTION ledger.lock_wallets(azora.caller[], uuid[], text[]) IS
    'Locks the wallets of a batch in the order of their ids';

-- What a locked account can pay.
CREATE OR REPLACE FUNCTION ledger.available(state ledger.state)
RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$
    SELECT ledger.bounded(state.balance::numeric - state.reserve)
$$;

COMMENT ON FUNCTION ledger.available(ledger.state) IS
    'What a locked account can pay';

-- Ask under the account's lock.
CREATE OR REPLACE FUNCTION ledger.is_closed(account bigint)
RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN EXISTS (SELECT 1 FROM ledger.account AS a
                   WHERE a.id = account AND a.closed_at IS NOT NULL);
END
$$;

COMMENT ON FUNCTION ledger.is_closed(bigint) IS
    'Whether nothing reaches an account any more';

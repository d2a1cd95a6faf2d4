-- The policy of a currency, with the lock of whoever issues some of it: that of
-- the policy, until the commit, so that one after another does, also across the
-- end of a day, and then that of the day. Both come before those of accounts,
-- and before wallets are opened.
CREATE OR REPLACE FUNCTION ledger.lock_issuance(currency text)
RETURNS ledger.issuance_policy
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    policy  ledger.issuance_policy := (
                SELECT p FROM ledger.issuance_policy AS p
                WHERE p.currency = lock_issuance.currency
                FOR NO KEY UPDATE);
BEGIN
    INSERT INTO ledger.issuance_day AS d (currency, day)
    VALUES (lock_issuance.currency, ledger.today())
    ON CONFLICT DO NOTHING;

    PERFORM d.day
    FROM ledger.issuance_day AS d
    WHERE d.currency = lock_issuance.currency AND d.day = ledger.today()
    FOR NO KEY UPDATE;

    RETURN policy;
END
$$;

COMMENT ON FUNCTION ledger.lock_issuance(text) IS
    'Locks the policy and the day of a currency';

-- Counts what is minted on a day and refuses what goes beyond the policy; what
-- was minted before is read under its lock.
CREATE OR REPLACE FUNCTION ledger.mint(currency text, minor bigint)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    policy  ledger.issuance_policy := ledger.lock_issuance(currency);
BEGIN
    IF policy.reward_total_max - minor
       < (SELECT coalesce(sum(d.minted), 0)
          FROM ledger.issuance_day AS d
          WHERE d.currency = mint.currency)
    THEN
        PERFORM azora.refuse(409, 'issuance-limit',
            'All rewards that may ever be were paid.');
    END IF;

    UPDATE ledger.issuance_day AS d
    SET minted = d.minted + minor
    WHERE d.currency = mint.currency
      AND d.day = ledger.today()
      AND d.minted <= policy.day_max - minor;

    IF NOT FOUND THEN
        PERFORM azora.refuse(409, 'issuance-limit',
            'No more of this currency may be minted today.');
    END IF;
END
$$;

COMMENT ON FUNCTION ledger.mint(text, bigint) IS
    'Counts what is minted, within the policy';

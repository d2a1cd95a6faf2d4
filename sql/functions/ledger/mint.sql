-- Counts what is minted on a day and refuses what goes beyond the policy. The
-- policy's row is locked until the commit: minting happens one after another,
-- also across the end of a day, and what was minted before is read under it.
CREATE OR REPLACE FUNCTION ledger.mint(currency text, minor bigint)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    policy  record;
    today   date := ledger.today();
BEGIN
    SELECT p.day_max, p.reward_total_max INTO policy
    FROM ledger.issuance_policy AS p
    WHERE p.currency = mint.currency
    FOR NO KEY UPDATE;

    IF policy.reward_total_max - minor
       < (SELECT coalesce(sum(d.minted), 0)
          FROM ledger.issuance_day AS d
          WHERE d.currency = mint.currency)
    THEN
        PERFORM azora.refuse(409, 'issuance-limit',
            'All rewards that may ever be were paid.');
    END IF;

    INSERT INTO ledger.issuance_day AS d (currency, day)
    VALUES (mint.currency, today)
    ON CONFLICT DO NOTHING;

    UPDATE ledger.issuance_day AS d
    SET minted = d.minted + minor
    WHERE d.currency = mint.currency
      AND d.day = today
      AND d.minted <= policy.day_max - minor;

    IF NOT FOUND THEN
        PERFORM azora.refuse(409, 'issuance-limit',
            'No more of this currency may be minted today.');
    END IF;
END
$$;

COMMENT ON FUNCTION ledger.mint(text, bigint) IS
    'Counts what is minted, within the policy';

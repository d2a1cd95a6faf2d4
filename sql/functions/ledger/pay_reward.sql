-- Mints one reward, within what may be minted on a day, and journals it.
CREATE OR REPLACE FUNCTION ledger.pay_reward(
    cause        uuid,
    event        json,
    traceparent  text
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    learner    uuid := event ->> 'account';
    currency   text := event ->> 'currency';
    whole      bigint := event ->> 'reward_minor';
    share      bigint := ledger.learner_share(whole);
    reason     uuid := ledger.reward_reference(learner,
                                               (event ->> 'quiz')::uuid);
    made       uuid[];
BEGIN
    IF whole IS NULL OR EXISTS (
        SELECT 1 FROM ledger.transfer AS t
        WHERE t.reference = reason
          AND t.kind IN ('reward', 'reward_fund'))
    THEN
        RETURN;
    END IF;

    PERFORM ledger.mint(currency, whole);

    made := ledger.post(ARRAY[
        ledger.movement(ledger.house('issuance', currency),
                        ledger.wallet(learner, currency),
                        share, currency, 'reward', reason,
                        event ->> 'course'),
        ledger.movement(ledger.house('issuance', currency),
                        ledger.house('citadel_fund', currency),
                        whole - share, currency, 'reward_fund', reason)]);

    PERFORM journal.append('reward.posted', learner,
        jsonb_build_object('account', learner, 'cause', cause,
                           'currency', currency, 'learner_minor', share,
                           'fund_minor', whole - share,
                           'transfers', made),
        traceparent);
END
$$;

COMMENT ON FUNCTION ledger.pay_reward(uuid, json, text) IS
    'Mints one reward';

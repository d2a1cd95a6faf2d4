-- 90% to the learner, 10% to the CitadelFund, the remainder of the division to
-- the fund: the parts of any amount make the whole.
CREATE OR REPLACE FUNCTION ledger.learner_share(minor bigint)
RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$
    SELECT trunc(minor::numeric * 9 / 10)::bigint
$$;

COMMENT ON FUNCTION ledger.learner_share(bigint) IS
    'What of a reward is the learner''s';

-- A reward that is on its way, for the answer to the one who earned it.
CREATE OR REPLACE FUNCTION ledger.reward_document(
    currency  text,
    minor     bigint
) RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_build_object(
        'currency', currency,
        'amount', ledger.money_text(currency, ledger.learner_share(minor)),
        'citadel_fund', ledger.money_text(
            currency, minor - ledger.learner_share(minor)))
$$;

COMMENT ON FUNCTION ledger.reward_document(text, bigint) IS
    'A reward as its learner sees it';

-- What a reward is for, as the reference of its transfers: one for each
-- account and quiz, whatever event asks for it.
CREATE OR REPLACE FUNCTION ledger.reward_reference(account uuid, quiz uuid)
RETURNS uuid
LANGUAGE sql STABLE
AS $$
    SELECT md5('reward ' || account || ' ' || quiz)::uuid
$$;

COMMENT ON FUNCTION ledger.reward_reference(uuid, uuid) IS
    'Reference of the reward of an account for a quiz';

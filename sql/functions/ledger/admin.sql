-- The endpoints of administrators: each says whom and how much it is about and
-- hands it to begin_operation().

CREATE OR REPLACE FUNCTION ledger.require_person(address text, pointer text)
RETURNS uuid
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    owner  uuid := (SELECT r.account
                    FROM identity.resolve(ARRAY[address]) AS r);
BEGIN
    IF owner IS NULL THEN
        PERFORM azora.refuse(422, 'unknown-recipient',
                             'There is no such account.', pointer);
    END IF;

    RETURN owner;
END
$$;

COMMENT ON FUNCTION ledger.require_person(text, text) IS
    'Who an address names, or a refusal';

-- An act about somebody: person is how the request names them, at pointer.
CREATE OR REPLACE FUNCTION ledger.propose_for(
    action        text,
    caller        azora.caller,
    person        text,
    pointer       text,
    currency      text,
    minor         bigint,
    reason        text,
    arguments     jsonb DEFAULT '{}',
    with_another  boolean DEFAULT false
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM ledger.require_currency(currency);

    RETURN ledger.begin_operation(action, caller,
        arguments || jsonb_build_object(
            'owner', ledger.require_person(person, pointer)),
        reason, currency, minor, with_another);
END
$$;

COMMENT ON FUNCTION ledger.propose_for(text, azora.caller, text, text, text,
                                       bigint, text, jsonb, boolean) IS
    'An act of an administrator about somebody';

CREATE OR REPLACE FUNCTION ledger.propose_mint(
    caller    azora.caller,
    "to"      text,
    currency  text,
    amount    text,
    reason    text
) RETURNS azora.reply
LANGUAGE sql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT ledger.propose_for(
        'mint', caller, "to", '/to', currency,
        ledger.require_amount(currency, amount, '/amount'), reason)
$$;

COMMENT ON FUNCTION ledger.propose_mint(azora.caller, text, text, text,
                                        text) IS
    'POST /v1/admin/ledger/mints';

CREATE OR REPLACE FUNCTION ledger.propose_burn(
    caller    azora.caller,
    "from"    text,
    currency  text,
    amount    text,
    reason    text
) RETURNS azora.reply
LANGUAGE sql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT ledger.propose_for(
        'burn', caller, "from", '/from', currency,
        ledger.require_amount(currency, amount, '/amount'), reason)
$$;

COMMENT ON FUNCTION ledger.propose_burn(azora.caller, text, text, text,
                                        text) IS
    'POST /v1/admin/ledger/burns';

CREATE OR REPLACE FUNCTION ledger.propose_reversal(
    caller    azora.caller,
    transfer  uuid,
    amount    text,
    reason    text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    original  ledger.transfer := (
                  SELECT t FROM ledger.transfer AS t
                  WHERE t.id = propose_reversal.transfer);
    minor     bigint;
BEGIN
    IF original.id IS NULL THEN
        PERFORM azora.refuse(422, 'unknown-transfer',
                             'There is no such transfer.', '/transfer');
    END IF;

    minor := coalesce(ledger.optional_amount(original.currency, amount,
                                            '/amount'),
                      ledger.left_of(original));

    RETURN ledger.begin_operation('reverse', caller,
        jsonb_build_object('original', original.id,
            'owner', (SELECT a.owner FROM ledger.account AS a
                      WHERE a.id = original.credit),
            'payer', (SELECT a.owner FROM ledger.account AS a
                      WHERE a.id = original.debit)),
        reason, original.currency, minor, false);
END
$$;

COMMENT ON FUNCTION ledger.propose_reversal(azora.caller, uuid, text,
                                            text) IS
    'POST /v1/admin/ledger/reversals';

-- Whoever sees harm stops it alone; to let go takes two.
CREATE OR REPLACE FUNCTION ledger.propose_freeze(
    caller    azora.caller,
    account   text,
    currency  text,
    reason    text
) RETURNS azora.reply
LANGUAGE sql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT ledger.propose_for('freeze', caller, account, '/account',
                              currency, NULL, reason)
$$;

COMMENT ON FUNCTION ledger.propose_freeze(azora.caller, text, text, text) IS
    'POST /v1/admin/ledger/freezes';

CREATE OR REPLACE FUNCTION ledger.propose_unfreeze(
    caller    azora.caller,
    account   text,
    currency  text,
    reason    text
) RETURNS azora.reply
LANGUAGE sql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT ledger.propose_for('unfreeze', caller, account, '/account',
                              currency, NULL, reason, with_another => true)
$$;

COMMENT ON FUNCTION ledger.propose_unfreeze(azora.caller, text, text, text) IS
    'POST /v1/admin/ledger/unfreezes';

-- Without an amount there is no credit any more.
CREATE OR REPLACE FUNCTION ledger.propose_credit_limit(
    caller    azora.caller,
    account   text,
    currency  text,
    amount    text,
    reason    text
) RETURNS azora.reply
LANGUAGE sql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT ledger.propose_for(
        'credit_limit', caller, account, '/account', currency,
        coalesce(ledger.optional_amount(currency, amount, '/amount'), 0),
        reason)
$$;

COMMENT ON FUNCTION ledger.propose_credit_limit(azora.caller, text, text,
                                                text, text) IS
    'POST /v1/admin/ledger/credit-limits';

CREATE OR REPLACE FUNCTION ledger.propose_tier(
    caller   azora.caller,
    account  text,
    tier     bigint,
    reason   text
) RETURNS azora.reply
LANGUAGE sql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT ledger.propose_for('tier', caller, account, '/account', NULL, NULL,
                              reason, jsonb_build_object('tier', tier))
$$;

COMMENT ON FUNCTION ledger.propose_tier(azora.caller, text, bigint, text) IS
    'POST /v1/admin/ledger/tiers';

-- A rule of a currency, which always takes two; amounts says which of its
-- arguments are some.
CREATE OR REPLACE FUNCTION ledger.propose_rule(
    action     text,
    caller     azora.caller,
    currency   text,
    reason     text,
    arguments  jsonb,
    amounts    text[]
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM ledger.require_currency(currency);
    PERFORM ledger.optional_amount(currency, arguments ->> a.name,
                                   '/' || a.name)
    FROM unnest(amounts) AS a (name);

    RETURN ledger.begin_operation(action, caller, arguments, reason, currency,
                                  NULL, true);
END
$$;

COMMENT ON FUNCTION ledger.propose_rule(text, azora.caller, text, text, jsonb,
                                        text[]) IS
    'An act of an administrator about a currency';

CREATE OR REPLACE FUNCTION ledger.propose_tier_limit(
    caller         azora.caller,
    currency       text,
    tier           bigint,
    transfer_max   text,
    day_max        text,
    balance_max    text,
    count_max      bigint,
    count_seconds  bigint,
    reason         text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF (count_max IS NULL) <> (count_seconds IS NULL) THEN
        PERFORM azora.refuse(422, 'invalid-limit',
            'A number of payments belongs to a time.',
            CASE WHEN count_max IS NULL THEN '/count_max'
                 ELSE '/count_seconds' END);
    END IF;

    RETURN ledger.propose_rule('tier_limit', caller, currency, reason,
        jsonb_build_object('tier', tier, 'transfer_max', transfer_max,
                           'day_max', day_max, 'balance_max', balance_max,
                           'count_max', count_max,
                           'count_seconds', count_seconds),
        '{transfer_max,day_max,balance_max}');
END
$$;

COMMENT ON FUNCTION ledger.propose_tier_limit(azora.caller, text, bigint,
    text, text, text, bigint, bigint, text) IS
    'POST /v1/admin/ledger/limits';

CREATE OR REPLACE FUNCTION ledger.propose_policy(
    caller            azora.caller,
    currency          text,
    reward_day_max    text,
    reward_total_max  text,
    mint_day_max      text,
    four_eyes_above   text,
    exchange_max      text,
    reason            text
) RETURNS azora.reply
LANGUAGE sql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT ledger.propose_rule('policy', caller, currency, reason,
        jsonb_build_object('reward_day_max', reward_day_max,
                           'reward_total_max', reward_total_max,
                           'mint_day_max', mint_day_max,
                           'four_eyes_above', four_eyes_above,
                           'exchange_max', exchange_max),
        '{reward_day_max,reward_total_max,mint_day_max,four_eyes_above,
          exchange_max}')
$$;

COMMENT ON FUNCTION ledger.propose_policy(azora.caller, text, text, text,
                                          text, text, text, text) IS
    'POST /v1/admin/ledger/policies';

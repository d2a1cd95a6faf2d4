CREATE OR REPLACE FUNCTION ledger.do_tier(o ledger.operation)
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    INSERT INTO ledger.person (owner, tier)
    VALUES ((o.arguments ->> 'owner')::uuid, (o.arguments ->> 'tier')::int)
    ON CONFLICT (owner) DO UPDATE SET tier = excluded.tier
$$;

COMMENT ON FUNCTION ledger.do_tier(ledger.operation) IS
    'Sets the KYC tier of a person';

-- Limits without any number are no limits: their row goes. Where nobody was
-- counted until now, what was counted before on this day is not all of it.
CREATE OR REPLACE FUNCTION ledger.do_tier_limit(o ledger.operation)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM ledger.tier_limit AS l
                   WHERE l.currency = o.currency)
    THEN
        DELETE FROM ledger.spending AS d
        USING ledger.account AS a
        WHERE d.day >= ledger.today()
          AND a.id = d.account
          AND a.currency = o.currency;
    END IF;

    DELETE FROM ledger.tier_limit AS l
    WHERE l.currency = o.currency
      AND l.tier = (o.arguments ->> 'tier')::int;

    INSERT INTO ledger.tier_limit
        (currency, tier, transfer_max, day_max, balance_max, count_max,
         count_seconds)
    SELECT o.currency, (o.arguments ->> 'tier')::int,
           ledger.limit_minor(o, 'transfer_max'),
           ledger.limit_minor(o, 'day_max'),
           ledger.limit_minor(o, 'balance_max'),
           (o.arguments ->> 'count_max')::int,
           (o.arguments ->> 'count_seconds')::int
    WHERE o.arguments ?| ARRAY['transfer_max', 'day_max', 'balance_max',
                               'count_max'];
END
$$;

COMMENT ON FUNCTION ledger.do_tier_limit(ledger.operation) IS
    'Sets the limits of a tier in a currency';

-- Minor units of an argument that is an amount; NULL when there is none.
CREATE OR REPLACE FUNCTION ledger.limit_minor(
    o     ledger.operation,
    name  text
) RETURNS bigint
LANGUAGE sql STABLE
AS $$
    SELECT CASE WHEN o.arguments ? name
                THEN ledger.require_amount(o.currency, o.arguments ->> name,
                                           '/' || name) END
$$;

COMMENT ON FUNCTION ledger.limit_minor(ledger.operation, text) IS
    'Minor units of an argument';

-- What is not named stays as it is.
CREATE OR REPLACE FUNCTION ledger.do_policy(o ledger.operation)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    INSERT INTO ledger.issuance_policy (currency, day_max)
    VALUES (o.currency, 0)
    ON CONFLICT DO NOTHING;

    UPDATE ledger.issuance_policy AS p
    SET day_max = coalesce(ledger.limit_minor(o, 'reward_day_max'),
                           p.day_max),
        reward_total_max = coalesce(
            ledger.limit_minor(o, 'reward_total_max'), p.reward_total_max),
        mint_day_max = coalesce(ledger.limit_minor(o, 'mint_day_max'),
                                p.mint_day_max),
        four_eyes_above = coalesce(
            ledger.limit_minor(o, 'four_eyes_above'), p.four_eyes_above),
        exchange_max = coalesce(ledger.limit_minor(o, 'exchange_max'),
                                p.exchange_max)
    WHERE p.currency = o.currency;

    IF o.arguments ? 'exchange_max' THEN
        PERFORM ledger.set_floor(ledger.house('exchange', o.currency),
                                 -ledger.limit_minor(o, 'exchange_max'));
    END IF;
END
$$;

COMMENT ON FUNCTION ledger.do_policy(ledger.operation) IS
    'Sets how much may be issued';

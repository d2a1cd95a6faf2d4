-- Limits by KYC tier: read, checked and counted under the locks of the
-- wallets, in the transaction that pays.

-- Which movements the limits of a payer bind, by kind; holds count when they
-- are placed. Of an exchange the fee is a part, and no payment of its own.
CREATE OR REPLACE FUNCTION ledger.is_payment(kind text)
RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT kind IN ('transfer', 'exchange_sell', 'escrow_fund')
$$;

COMMENT ON FUNCTION ledger.is_payment(text) IS
    'Whether a kind of movement counts as a payment';

-- The wallets among the states whose currency has limits, and what those of
-- their owners' tiers leave: of one payment, of today, how many payments; how
-- much more they may get. What was paid is counted for payers only, because it
-- takes most of the time. NULL is no limit.
CREATE OR REPLACE FUNCTION ledger.allowances(
    states  ledger.state[],
    payers  bigint[]
) RETURNS TABLE (account bigint, transfer_max bigint, day_left bigint,
                 count_left bigint, balance_left bigint)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN QUERY
    SELECT s.id, l.transfer_max,
           CASE WHEN l.day_max IS NOT NULL AND s.id = ANY (payers)
                THEN l.day_max - ledger.spent_today(s.id) END,
           l.count_max - CASE WHEN l.count_max IS NOT NULL
                                   AND s.id = ANY (payers) THEN (
               SELECT count(*)
               FROM ((SELECT t.created_at
                      FROM ledger.transfer AS t
                      WHERE t.debit = s.id AND ledger.is_payment(t.kind)
                      ORDER BY t.debit_seq DESC
                      LIMIT l.count_max)
                     UNION ALL
                     (SELECT h.created_at
                      FROM ledger.hold AS h
                      WHERE h.account = s.id
                      ORDER BY h.id DESC
                      LIMIT l.count_max)) AS r
               WHERE r.created_at
                     > clock_timestamp() - interval '1 second'
                                           * l.count_seconds) END,
           ledger.bounded(l.balance_max::numeric - s.balance)
    FROM unnest(states) AS s
         LEFT JOIN ledger.person AS p ON p.owner = s.owner
         LEFT JOIN ledger.tier_limit AS l
              ON l.currency = s.currency AND l.tier = coalesce(p.tier, 0)
    WHERE s.owner IS NOT NULL
      AND EXISTS (SELECT 1 FROM ledger.tier_limit AS o
                  WHERE o.currency = s.currency);
END
$$;

COMMENT ON FUNCTION ledger.allowances(ledger.state[], bigint[]) IS
    'What limits leave to wallets';

-- How much more others may bring an account to; NULL is no limit.
CREATE OR REPLACE FUNCTION ledger.room_of(account bigint)
RETURNS bigint
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT ledger.bounded(l.balance_max::numeric - a.balance)
        FROM ledger.account AS a
             LEFT JOIN ledger.person AS p ON p.owner = a.owner
             JOIN ledger.tier_limit AS l
                  ON l.currency = a.currency AND l.tier = coalesce(p.tier, 0)
        WHERE a.id = room_of.account AND a.owner IS NOT NULL);
END
$$;

COMMENT ON FUNCTION ledger.room_of(bigint) IS
    'How much more an account may get';

-- The account is locked.
CREATE OR REPLACE FUNCTION ledger.require_room(account bigint, minor bigint)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF minor > ledger.room_of(account) THEN
        PERFORM ledger.refuse_transfer('balance-limit');
    END IF;
END
$$;

COMMENT ON FUNCTION ledger.require_room(bigint, bigint) IS
    'Refuses what would bring an account beyond its limit';

CREATE OR REPLACE FUNCTION ledger.today()
RETURNS date
LANGUAGE sql STABLE
AS $$
    SELECT (now() AT TIME ZONE 'UTC')::date
$$;

COMMENT ON FUNCTION ledger.today() IS 'The UTC day';

-- What a wallet paid or promised today. Where nobody has counted today so far,
-- as before its first payment of a day, its postings and holds tell.
CREATE OR REPLACE FUNCTION ledger.spent_today(account bigint)
RETURNS bigint
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN coalesce(
        (SELECT d.spent
         FROM ledger.spending AS d
         WHERE d.account = spent_today.account
           AND d.day >= ledger.today()),
        (SELECT ledger.bounded(sum(u.amount))
         FROM (SELECT t.amount
               FROM ledger.transfer AS t
               WHERE t.debit = spent_today.account
                 AND (ledger.is_payment(t.kind) OR t.kind = 'exchange_fee')
                 AND t.debit_seq > ledger.sequence_at(
                         spent_today.account,
                         ledger.today()::timestamp AT TIME ZONE 'UTC'
                         - interval '1 us')
               UNION ALL
               SELECT h.amount
               FROM ledger.hold AS h
               WHERE h.account = spent_today.account
                 AND h.created_at >= ledger.today()::timestamp
                                     AT TIME ZONE 'UTC') AS u),
        0);
END
$$;

COMMENT ON FUNCTION ledger.spent_today(bigint) IS
    'What a wallet paid today';

-- Counts payments that were decided and not yet written, for payers with and
-- without a limit: the tier of one may change before the day ends.
CREATE OR REPLACE FUNCTION ledger.count_spending(
    accounts  bigint[],
    amounts   bigint[]
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    INSERT INTO ledger.spending AS d (account, day, spent)
    SELECT a.account, ledger.today(),
           ledger.bounded(ledger.spent_today(a.account) + a.amount)
    FROM (SELECT u.account, sum(u.amount) AS amount
          FROM unnest(accounts, amounts) AS u (account, amount)
          GROUP BY u.account) AS a
    ORDER BY a.account
    ON CONFLICT (account) DO UPDATE
    SET spent = excluded.spent,
        day = greatest(d.day, excluded.day);
END
$$;

COMMENT ON FUNCTION ledger.count_spending(bigint[], bigint[]) IS
    'Counts what wallets pay today';

-- For single payments: refuses what the payer's limits do not allow, and
-- counts it. The payer's wallet is locked.
CREATE OR REPLACE FUNCTION ledger.require_allowance(
    state  ledger.state,
    minor  bigint
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    allowed  record;
BEGIN
    SELECT a.transfer_max, a.day_left, a.count_left INTO allowed
    FROM ledger.allowances(ARRAY[state], ARRAY[state.id]) AS a;

    IF NOT FOUND THEN
        RETURN;
    END IF;

    IF minor > allowed.transfer_max THEN
        PERFORM ledger.refuse_transfer('transfer-limit');
    ELSIF minor > allowed.day_left THEN
        PERFORM ledger.refuse_transfer('day-limit');
    ELSIF allowed.count_left <= 0 THEN
        PERFORM ledger.refuse_transfer('velocity-limit');
    END IF;

    PERFORM ledger.count_spending(ARRAY[state.id], ARRAY[minor]);
END
$$;

COMMENT ON FUNCTION ledger.require_allowance(ledger.state, bigint) IS
    'Refuses a payment beyond the payer''s limits';

-- What the caller's tier allows in a currency and what of it is left today.
CREATE OR REPLACE FUNCTION ledger.my_limits(
    caller    azora.caller,
    currency  text
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    document  json;
BEGIN
    SELECT json_strip_nulls(json_build_object(
               'currency', c.code,
               'tier', t.tier,
               'transfer_max', (l.transfer_max * c.unit)::text,
               'day_max', (l.day_max * c.unit)::text,
               'day_left', CASE WHEN l.day_max IS NOT NULL
                           THEN (greatest(0, l.day_max
                                             - ledger.spent_today(a.id))
                                 * c.unit)::text END,
               'balance_max', (l.balance_max * c.unit)::text,
               'count_max', l.count_max,
               'count_seconds', l.count_seconds))
    INTO document
    FROM ledger.currency AS c
         CROSS JOIN LATERAL (
             SELECT coalesce((SELECT p.tier FROM ledger.person AS p
                              WHERE p.owner = caller.subject), 0) AS tier)
             AS t
         LEFT JOIN ledger.tier_limit AS l
              ON l.currency = c.code AND l.tier = t.tier
         LEFT JOIN ledger.account AS a
              ON a.owner = caller.subject
             AND a.currency = c.code
             AND a.kind = 'wallet'
    WHERE c.code = my_limits.currency;

    IF document IS NULL THEN
        RETURN ledger.unknown_currency();
    END IF;

    RETURN (200, document, NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.my_limits(azora.caller, text) IS
    'GET /v1/wallets/{currency}/limits';

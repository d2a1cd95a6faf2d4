-- A currency as a whole: how much there is, how it came, where it is, and how
-- evenly wallets have it. Every account is read: the row's cache keeps it.
CREATE OR REPLACE FUNCTION ledger.economy(
    caller    azora.caller,
    currency  text
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    body  json := ledger.count_economy(coalesce(currency, 'AZR'));
BEGIN
    IF body IS NULL THEN
        RETURN ledger.unknown_currency();
    END IF;

    RETURN (200, body, NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.economy(azora.caller, text) IS
    'GET /v1/economy';

CREATE OR REPLACE FUNCTION ledger.count_economy(currency text)
RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_build_object(
        'currency', c.code,
        'at', azora.rfc3339(now()),
        'supply', (t.supply * c.unit)::text,
        'citadel_fund', (t.fund * c.unit)::text,
        'marketplace', (t.marketplace * c.unit)::text,
        'escrow', (t.escrow * c.unit)::text,
        'exchange', (t.exchange * c.unit)::text,
        'wallets', (t.wallets * c.unit)::text,
        'holders', t.holders,
        'distribution', ledger.count_distribution(c.code),
        'days', ledger.issuance_days(c.code))
    FROM ledger.currency AS c
         CROSS JOIN LATERAL (
             SELECT coalesce(-sum(a.balance) FILTER (
                        WHERE a.kind = 'issuance'), 0) AS supply,
                    coalesce(sum(a.balance) FILTER (
                        WHERE a.kind = 'citadel_fund'), 0) AS fund,
                    coalesce(sum(a.balance) FILTER (
                        WHERE a.kind = 'marketplace'), 0) AS marketplace,
                    coalesce(sum(a.balance) FILTER (
                        WHERE a.kind = 'escrow'), 0) AS escrow,
                    coalesce(sum(a.balance) FILTER (
                        WHERE a.kind = 'exchange'), 0) AS exchange,
                    coalesce(sum(a.balance) FILTER (
                        WHERE a.kind = 'wallet'), 0) AS wallets,
                    count(*) FILTER (
                        WHERE a.kind = 'wallet' AND a.balance > 0) AS holders
             FROM ledger.account AS a
             WHERE a.currency = c.code) AS t
    WHERE c.code = count_economy.currency
$$;

COMMENT ON FUNCTION ledger.count_economy(text) IS
    'A currency as a whole, counted now';

-- What part of all that wallets hold the richest have: of each so many in a
-- hundred, rounded up to whole wallets. Parts with four decimals.
CREATE OR REPLACE FUNCTION ledger.count_distribution(currency text)
RETURNS json
LANGUAGE sql STABLE
AS $$
    WITH wallet AS MATERIALIZED (
        SELECT a.balance, row_number() OVER (ORDER BY a.balance DESC) AS n
        FROM ledger.account AS a
        WHERE a.currency = count_distribution.currency
          AND a.kind = 'wallet'
          AND a.balance > 0
    ), total AS (
        SELECT count(*) AS wallets, coalesce(sum(w.balance), 0) AS balance
        FROM wallet AS w
    )
    SELECT json_agg(json_build_object(
        'richest_percent', p.percent,
        'hold', coalesce(trunc((
            SELECT sum(w.balance)
            FROM wallet AS w
            WHERE w.n <= ceil(t.wallets * p.percent / 100.0))
            / nullif(t.balance, 0), 4), 0)::text) ORDER BY p.percent)
    FROM total AS t
         CROSS JOIN (VALUES (1), (10), (50)) AS p (percent)
$$;

COMMENT ON FUNCTION ledger.count_distribution(text) IS
    'How evenly wallets hold a currency';

-- What came and went on each of the last 30 days on which something did.
CREATE OR REPLACE FUNCTION ledger.issuance_days(currency text)
RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(json_agg(json_build_object(
        'day', d.day,
        'rewards', (d.minted * c.unit)::text,
        'issued', (d.issued * c.unit)::text,
        'burned', (d.burned * c.unit)::text) ORDER BY d.day DESC), '[]')
    FROM (SELECT i.day, i.minted, i.issued, i.burned
          FROM ledger.issuance_day AS i
          WHERE i.currency = issuance_days.currency
            AND (i.minted, i.issued, i.burned) <> (0, 0, 0)
          ORDER BY i.day DESC
          LIMIT 30) AS d
         JOIN ledger.currency AS c ON c.code = issuance_days.currency
$$;

COMMENT ON FUNCTION ledger.issuance_days(text) IS
    'What of a currency came and went by day';

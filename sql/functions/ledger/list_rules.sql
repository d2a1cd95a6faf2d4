-- The limits of all tiers, for administrators.
CREATE OR REPLACE FUNCTION ledger.list_limits(
    caller   azora.caller,
    "limit"  bigint,
    cursor   text
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    size   bigint := azora.page_size("limit");
    after  text := azora.cursor_text(cursor, '^[A-Z0-9]{3,8} [0-3]$');
    items  json[];
    keys   text[];
BEGIN
    IF after IS NULL THEN
        RETURN azora.invalid_cursor();
    END IF;

    SELECT array_agg(p.document ORDER BY p.key COLLATE "C"),
           array_agg(p.key ORDER BY p.key COLLATE "C")
    INTO items, keys
    FROM (SELECT l.currency || ' ' || l.tier AS key,
                 json_strip_nulls(json_build_object(
                     'currency', l.currency, 'tier', l.tier,
                     'transfer_max', (l.transfer_max * c.unit)::text,
                     'day_max', (l.day_max * c.unit)::text,
                     'balance_max', (l.balance_max * c.unit)::text,
                     'count_max', l.count_max,
                     'count_seconds', l.count_seconds)) AS document
          FROM ledger.tier_limit AS l
               JOIN ledger.currency AS c ON c.code = l.currency
          WHERE l.currency || ' ' || l.tier > after COLLATE "C"
          ORDER BY (l.currency || ' ' || l.tier) COLLATE "C"
          LIMIT size + 1) AS p;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION ledger.list_limits(azora.caller, bigint, text) IS
    'GET /v1/admin/ledger/limits';

-- What may be issued of each currency, and what was today.
CREATE OR REPLACE FUNCTION ledger.list_policies(
    caller   azora.caller,
    "limit"  bigint,
    cursor   text
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    size   bigint := azora.page_size("limit");
    after  text := azora.cursor_text(cursor, '^[A-Z0-9]{3,8}$');
    items  json[];
    keys   text[];
BEGIN
    IF after IS NULL THEN
        RETURN azora.invalid_cursor();
    END IF;

    SELECT array_agg(q.document ORDER BY q.currency COLLATE "C"),
           array_agg(q.currency ORDER BY q.currency COLLATE "C")
    INTO items, keys
    FROM (SELECT p.currency,
                 json_strip_nulls(json_build_object(
                     'currency', p.currency,
                     'reward_day_max', (p.day_max * c.unit)::text,
                     'reward_total_max', (p.reward_total_max
                                          * c.unit)::text,
                     'mint_day_max', (p.mint_day_max * c.unit)::text,
                     'four_eyes_above', (p.four_eyes_above * c.unit)::text,
                     'exchange_max', (p.exchange_max * c.unit)::text,
                     'rewards_today', (coalesce(d.minted, 0)
                                       * c.unit)::text,
                     'issued_today', (coalesce(d.issued, 0)
                                      * c.unit)::text)) AS document
          FROM ledger.issuance_policy AS p
               JOIN ledger.currency AS c ON c.code = p.currency
               LEFT JOIN ledger.issuance_day AS d
                    ON d.currency = p.currency AND d.day = ledger.today()
          WHERE p.currency > after COLLATE "C"
          ORDER BY p.currency COLLATE "C"
          LIMIT size + 1) AS q;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION ledger.list_policies(azora.caller, bigint, text) IS
    'GET /v1/admin/ledger/policies';

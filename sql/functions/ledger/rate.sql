CREATE OR REPLACE FUNCTION ledger.list_rates(
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
    after  text := azora.cursor_text(cursor, '^[A-Z0-9]{3,8} [A-Z0-9]{3,8}$');
    items  json[];
    keys   text[];
BEGIN
    IF after IS NULL THEN
        RETURN azora.invalid_cursor();
    END IF;

    SELECT array_agg(l.document ORDER BY l.key COLLATE "C"),
           array_agg(l.key ORDER BY l.key COLLATE "C")
    INTO items, keys
    FROM (SELECT r.sell || ' ' || r.buy AS key,
                 json_build_object(
                     'sell', r.sell, 'buy', r.buy,
                     'rate', trim_scale(r.rate)::text, 'fee_bps', r.fee_bps,
                     'valid_until', azora.rfc3339(r.valid_until)) AS document
          FROM ledger.rate AS r
          WHERE r.valid_until > now()
            AND r.sell || ' ' || r.buy > after COLLATE "C"
          ORDER BY (r.sell || ' ' || r.buy) COLLATE "C"
          LIMIT size + 1) AS l;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION ledger.list_rates(azora.caller, bigint, text) IS
    'GET /v1/fx/rates';

-- A rate near the present one is one administrator's to set, because markets
-- move; the first, and one that jumps by more than a tenth, takes two.
CREATE OR REPLACE FUNCTION ledger.propose_rate(
    caller         azora.caller,
    sell           text,
    buy            text,
    rate           text,
    fee_bps        bigint,
    valid_seconds  bigint,
    reason         text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM ledger.currency AS c
                   WHERE c.code = propose_rate.sell)
    THEN
        PERFORM azora.refuse(422, 'unknown-currency',
                             'There is no such currency.', '/sell');
    ELSIF sell = buy
       OR NOT EXISTS (SELECT 1 FROM ledger.currency AS c
                      WHERE c.code = propose_rate.buy)
    THEN
        PERFORM azora.refuse(422, 'unknown-currency',
                             'There is no such other currency.', '/buy');
    END IF;

    RETURN ledger.begin_operation('rate', caller,
        jsonb_build_object('sell', sell, 'buy', buy, 'rate', rate,
                           'fee_bps', coalesce(fee_bps, 0),
                           'valid_seconds', valid_seconds),
        reason, NULL, NULL,
        NOT EXISTS (SELECT 1 FROM ledger.rate AS r
                    WHERE r.sell = propose_rate.sell
                      AND r.buy = propose_rate.buy
                      AND propose_rate.rate::numeric
                          BETWEEN r.rate * 0.9 AND r.rate * 1.1));
END
$$;

COMMENT ON FUNCTION ledger.propose_rate(azora.caller, text, text, text,
                                        bigint, bigint, text) IS
    'POST /v1/admin/ledger/rates';

CREATE OR REPLACE FUNCTION ledger.do_rate(o ledger.operation)
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    INSERT INTO ledger.rate AS r (sell, buy, rate, fee_bps, valid_until)
    VALUES (o.arguments ->> 'sell', o.arguments ->> 'buy',
            (o.arguments ->> 'rate')::numeric,
            (o.arguments ->> 'fee_bps')::int,
            now() + interval '1 second'
                    * (o.arguments ->> 'valid_seconds')::int)
    ON CONFLICT (sell, buy) DO UPDATE
    SET rate = excluded.rate,
        fee_bps = excluded.fee_bps,
        valid_until = excluded.valid_until;

    SELECT azora.bump('rates');
$$;

COMMENT ON FUNCTION ledger.do_rate(ledger.operation) IS
    'Sets what the house exchanges for what';

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

-- What one gets for one of sell, the fee taken off, as two administrators
-- agreed last or as it was when the day began, whichever is later.
CREATE OR REPLACE FUNCTION ledger.agreed_price(sell text, buy text)
RETURNS numeric
LANGUAGE sql STABLE
AS $$
    SELECT (o.arguments ->> 'rate')::numeric
           * (10000 - (o.arguments ->> 'fee_bps')::int)
    FROM ledger.operation AS o
    WHERE o.action = 'rate'
      AND o.state = 'done'
      AND o.arguments ->> 'sell' = agreed_price.sell
      AND o.arguments ->> 'buy' = agreed_price.buy
      AND (o.decided_by IS NOT NULL
           OR o.created_at < ledger.today()::timestamp AT TIME ZONE 'UTC')
    ORDER BY o.decided_at DESC
    LIMIT 1
$$;

COMMENT ON FUNCTION ledger.agreed_price(text, text) IS
    'What was agreed on for one of a currency';

-- A price near the agreed one is one administrator's to set, because markets
-- move; the first, and one that is more than a tenth away in however many
-- steps of a day, takes two.
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
        (SELECT rate::numeric * (10000 - coalesce(fee_bps, 0))
                BETWEEN p.price * 0.9 AND p.price * 1.1
         FROM ledger.agreed_price(sell, buy) AS p (price)) IS NOT true);
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

-- The list is kept until the generation moves, and whoever has it is told by
-- the same number that it did not change: a rate that ends has to move it.
CREATE OR REPLACE FUNCTION ledger.end_rates(batch int)
RETURNS int
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ended  int;
BEGIN
    DELETE FROM ledger.rate AS r
    WHERE (r.sell, r.buy) IN (SELECT o.sell, o.buy
                              FROM ledger.rate AS o
                              WHERE o.valid_until <= now()
                              LIMIT batch
                              FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS ended = ROW_COUNT;

    IF ended > 0 THEN
        PERFORM azora.bump('rates');
    END IF;

    RETURN ended;
END
$$;

COMMENT ON FUNCTION ledger.end_rates(int) IS
    'Forgets rates whose time is over';

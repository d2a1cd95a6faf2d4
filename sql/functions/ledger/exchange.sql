-- A promise to exchange: half a minute, and no longer than the rate. The fee
-- is a part of what is given, rounded down; what is got is rounded down to a
-- minor unit, and the rest of it stays with the house. Only multiplications,
-- which numeric does exactly.
CREATE OR REPLACE FUNCTION ledger.create_quote(
    caller  azora.caller,
    sell    text,
    buy     text,
    amount  text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    quote  uuid := azora.uuid7();
    minor  bigint;
    fee    bigint;
    got    numeric;
    at     record;
BEGIN
    SELECT r.rate, r.fee_bps, r.valid_until, s.unit, b.factor INTO at
    FROM ledger.rate AS r
         JOIN ledger.currency AS s ON s.code = r.sell
         JOIN ledger.currency AS b ON b.code = r.buy
    WHERE r.sell = create_quote.sell
      AND r.buy = create_quote.buy
      AND r.valid_until > now();

    IF NOT FOUND THEN
        PERFORM azora.refuse(409, 'no-rate',
            'These two are not exchanged at the moment.');
    END IF;

    minor := ledger.require_amount(sell, amount, '/amount');
    fee := (ledger.split_minor(minor, ARRAY[10000 - at.fee_bps,
                                            at.fee_bps]))[2];
    got := trunc((minor - fee) * at.unit * at.rate * at.factor);

    IF got NOT BETWEEN 1 AND 9223372036854775807 THEN
        PERFORM ledger.refuse_transfer('amount-out-of-range');
    END IF;

    INSERT INTO ledger.quote
        (id, owner, sell, buy, rate, sell_minor, fee_minor, buy_minor,
         expires_at)
    VALUES (quote, caller.subject, create_quote.sell, create_quote.buy,
            at.rate, minor, fee, got::bigint,
            least(now() + interval '30 seconds', at.valid_until));

    RETURN (201, ledger.quote_document(quote), NULL,
            '/v1/fx/quotes/' || quote)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.create_quote(azora.caller, text, text, text) IS
    'POST /v1/fx/quotes';

CREATE OR REPLACE FUNCTION ledger.quote_document(quote uuid)
RETURNS json
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT json_strip_nulls(json_build_object(
            'id', q.id,
            'state', CASE WHEN q.used_at IS NOT NULL THEN 'used'
                          WHEN q.expires_at <= now() THEN 'expired'
                          ELSE 'open' END,
            'sell', q.sell,
            'buy', q.buy,
            'rate', trim_scale(q.rate)::text,
            'sell_amount', ledger.money_text(q.sell, q.sell_minor),
            'fee', ledger.money_text(q.sell, q.fee_minor),
            'buy_amount', ledger.money_text(q.buy, q.buy_minor),
            'created_at', azora.rfc3339(q.created_at),
            'expires_at', azora.rfc3339(q.expires_at),
            'used_at', azora.rfc3339(q.used_at),
            'transfers', q.transfers))
        FROM ledger.quote AS q
        WHERE q.id = quote);
END
$$;

COMMENT ON FUNCTION ledger.quote_document(uuid) IS
    'A quote as its owner sees it';

CREATE OR REPLACE FUNCTION ledger.get_quote(caller azora.caller, id uuid)
RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN azora.found((
        SELECT ledger.quote_document(q.id)
        FROM ledger.quote AS q
        WHERE q.id = get_quote.id AND q.owner = caller.subject),
        'There is no such quote.');
END
$$;

COMMENT ON FUNCTION ledger.get_quote(azora.caller, uuid) IS
    'GET /v1/fx/quotes/{id}';

-- Takes a quote: what is given goes to the exchange and its fee to the house,
-- what is got comes from the exchange, so that each currency keeps its sum.
-- The quote's lock makes it once.
CREATE OR REPLACE FUNCTION ledger.take_quote(caller azora.caller, id uuid)
RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    q     ledger.quote := (
              SELECT u FROM ledger.quote AS u
              WHERE u.id = take_quote.id AND u.owner = caller.subject
              FOR NO KEY UPDATE);
    made  uuid[];
BEGIN
    IF q.id IS NULL THEN
        PERFORM azora.refuse(404, 'not-found', 'There is no such quote.');
    ELSIF q.used_at IS NOT NULL THEN
        PERFORM azora.refuse(409, 'wrong-state', 'This quote was taken.');
    ELSIF q.expires_at <= now() THEN
        PERFORM azora.refuse(409, 'quote-expired',
                             'This quote does not hold any more.');
    END IF;

    made := ledger.move_exchange(q);

    UPDATE ledger.quote AS u
    SET used_at = now(),
        transfers = made
    WHERE u.id = q.id;

    PERFORM journal.append('fx.exchanged', caller.subject,
        jsonb_build_object('quote', q.id, 'sell', q.sell, 'buy', q.buy,
                           'rate', q.rate, 'sell_minor', q.sell_minor,
                           'fee_minor', q.fee_minor,
                           'buy_minor', q.buy_minor,
                           'transfers', made),
        caller.traceparent);

    RETURN (200, ledger.quote_document(id), NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.take_quote(azora.caller, uuid) IS
    'POST /v1/fx/quotes/{id}/exchange';

-- The movements of an exchange. All its accounts are locked before the first
-- is looked at, so that what is said of them stays true.
CREATE OR REPLACE FUNCTION ledger.move_exchange(q ledger.quote)
RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    gives   bigint := ledger.wallet(q.owner, q.sell);
    gets    bigint := ledger.wallet(q.owner, q.buy);
    takes   bigint := ledger.house('exchange', q.sell);
    pays    bigint := ledger.house('exchange', q.buy);
    earns   bigint := ledger.house('marketplace', q.sell);
    states  ledger.state[] := ledger.lock_accounts(
                ARRAY[gives, gets, takes, pays, earns]);
    payer   ledger.state := (SELECT s FROM unnest(states) AS s
                             WHERE s.id = gives);
BEGIN
    IF ledger.available(payer) < q.sell_minor THEN
        PERFORM ledger.refuse_transfer('insufficient-funds');
    END IF;

    PERFORM ledger.require_allowance(payer, q.sell_minor);
    PERFORM ledger.require_room(gets, q.buy_minor);

    IF EXISTS (SELECT 1 FROM unnest(states) AS s
               WHERE s.id = pays AND ledger.available(s) < q.buy_minor)
    THEN
        PERFORM azora.refuse(409, 'no-liquidity',
            'The house has not enough of that currency at the moment.');
    END IF;

    RETURN ledger.post(ARRAY[
        ledger.movement(gives, takes, q.sell_minor - q.fee_minor, q.sell,
                        'exchange_sell', q.id),
        ledger.movement(gives, earns, q.fee_minor, q.sell, 'exchange_fee',
                        q.id),
        ledger.movement(pays, gets, q.buy_minor, q.buy, 'exchange_buy',
                        q.id)]);
END
$$;

COMMENT ON FUNCTION ledger.move_exchange(ledger.quote) IS
    'The movements of an exchange';

-- A task: quotes that nobody took go after a day.
CREATE OR REPLACE FUNCTION ledger.purge_quotes(batch int)
RETURNS int
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    n  int;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('ledger.purge_quotes')) THEN
        RETURN 0;
    END IF;

    DELETE FROM ledger.quote AS q
    WHERE q.id IN (SELECT u.id
                   FROM ledger.quote AS u
                   WHERE u.used_at IS NULL
                     AND u.expires_at < now() - interval '1 day'
                   ORDER BY u.expires_at
                   LIMIT batch
                   FOR UPDATE SKIP LOCKED);

    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$$;

COMMENT ON FUNCTION ledger.purge_quotes(int) IS
    'Removes quotes that nobody took';

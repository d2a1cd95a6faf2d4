-- Newest first. Postings are numbered without gaps and never change, so that a
-- walk by cursor misses nothing and repeats nothing while new ones arrive.
-- from and to are times; to itself is not in it, so that one month's end is
-- the next one's beginning.
CREATE OR REPLACE FUNCTION ledger.statement(
    caller    azora.caller,
    currency  text,
    "limit"   bigint,
    cursor    text,
    "from"    timestamptz DEFAULT NULL,
    "to"      timestamptz DEFAULT NULL,
    format    text DEFAULT NULL
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    size     bigint := azora.page_size("limit");
    below    text := azora.cursor_text(cursor, '^[0-9]{1,18}$',
                                       '9223372036854775807');
    account  bigint;
    unit     numeric;
    first    bigint := 0;
    last     bigint;
    items    json[];
    keys     text[];
BEGIN
    IF below IS NULL THEN
        RETURN azora.invalid_cursor();
    END IF;

    SELECT c.unit INTO unit
    FROM ledger.currency AS c
    WHERE c.code = statement.currency;

    IF unit IS NULL THEN
        RETURN ledger.unknown_currency();
    END IF;

    SELECT a.id, least(below::bigint - 1, a.sequence) INTO account, last
    FROM ledger.account AS a
    WHERE a.owner = caller.subject
      AND a.currency = statement.currency
      AND a.kind = 'wallet';

    IF "from" IS NOT NULL THEN
        first := ledger.sequence_at(account, "from" - interval '1 us');
    END IF;

    IF "to" IS NOT NULL THEN
        last := least(last,
                      ledger.sequence_at(account, "to" - interval '1 us'));
    END IF;

    -- Numbers have no gaps: the page and the one line after it are a range.
    first := greatest(first, last - size - 1);

    SELECT array_agg(ledger.posting_document(
                         p.seq, p.at, p.amount * unit, p.balance * unit,
                         p.kind, coalesce(o.owner::text, o.kind), p.memo,
                         p.transfer)
                     ORDER BY p.seq DESC),
           array_agg(p.seq::text ORDER BY p.seq DESC)
    INTO items, keys
    FROM (SELECT t.debit_seq AS seq, t.created_at AS at, -t.amount AS amount,
                 t.debit_balance AS balance, t.kind, t.memo,
                 t.id AS transfer, t.credit AS other
          FROM ledger.transfer AS t
          WHERE t.debit = account
            AND t.debit_seq > first AND t.debit_seq <= last
          UNION ALL
          SELECT t.credit_seq, t.created_at, t.amount, t.credit_balance,
                 t.kind, t.memo, t.id, t.debit
          FROM ledger.transfer AS t
          WHERE t.credit = account
            AND t.credit_seq > first AND t.credit_seq <= last) AS p
         JOIN ledger.account AS o ON o.id = p.other;

    IF format = 'csv' THEN
        RETURN ledger.statement_csv(items, keys, size, statement.currency,
                                    "from", "to");
    END IF;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION ledger.statement(azora.caller, text, bigint, text,
                                     timestamptz, timestamptz, text) IS
    'GET /v1/wallets/{currency}/statement';

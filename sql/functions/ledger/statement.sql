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
AS $$
DECLARE
    size     bigint := azora.page_size("limit");
    below    text := azora.cursor_text(cursor, '^[0-9]{1,18}$',
                                       '9223372036854775807');
    account  bigint;
    first    bigint := 0;
    last     bigint;
    items    json[];
    keys     text[];
BEGIN
    IF below IS NULL THEN
        RETURN azora.invalid_cursor();
    END IF;

    IF NOT EXISTS (SELECT 1 FROM ledger.currency AS c
                   WHERE c.code = statement.currency)
    THEN
        RETURN ledger.unknown_currency();
    END IF;

    SELECT a.id, below::bigint - 1 INTO account, last
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

    SELECT array_agg(s.document ORDER BY s.seq DESC),
           array_agg(s.seq::text ORDER BY s.seq DESC)
    INTO items, keys
    FROM (SELECT p.seq,
                 ledger.posting_document(p.seq, p.amount, p.balance,
                                         p.transfer) AS document
          FROM ((SELECT t.debit_seq AS seq, -t.amount AS amount,
                        t.debit_balance AS balance, t.id AS transfer
                 FROM ledger.transfer AS t
                 WHERE t.debit = account
                   AND t.debit_seq > first AND t.debit_seq <= last
                 ORDER BY t.debit_seq DESC
                 LIMIT size + 1)
                UNION ALL
                (SELECT t.credit_seq, t.amount, t.credit_balance, t.id
                 FROM ledger.transfer AS t
                 WHERE t.credit = account
                   AND t.credit_seq > first AND t.credit_seq <= last
                 ORDER BY t.credit_seq DESC
                 LIMIT size + 1)) AS p
          ORDER BY p.seq DESC
          LIMIT size + 1) AS s;

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

-- The caller's wallets by currency: those that money has reached.
CREATE OR REPLACE FUNCTION ledger.list_wallets(
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

    SELECT array_agg(w.document ORDER BY w.currency),
           array_agg(w.currency ORDER BY w.currency)
    INTO items, keys
    FROM (SELECT a.currency,
                 ledger.wallet_document(c, a.balance, a.held, a.floor,
                                        a.frozen) AS document
          FROM ledger.account AS a
               JOIN ledger.currency AS c ON c.code = a.currency
          WHERE a.owner = caller.subject
            AND a.kind = 'wallet'
            AND a.currency > after COLLATE "C"
          ORDER BY a.currency COLLATE "C"
          LIMIT size + 1) AS w;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION ledger.list_wallets(azora.caller, bigint, text) IS
    'GET /v1/wallets';

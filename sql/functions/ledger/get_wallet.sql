-- A wallet as its owner sees it. What is available may be more than what was
-- posted where there is a credit limit.
CREATE OR REPLACE FUNCTION ledger.wallet_document(
    currency  ledger.currency,
    balance   bigint,
    held      bigint,
    floor     bigint,
    frozen    boolean,
    at        timestamptz DEFAULT NULL
) RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_strip_nulls(json_build_object(
        'currency', currency.code,
        'posted', (coalesce(balance, 0) * currency.unit)::text,
        'pending', (coalesce(held, 0) * currency.unit)::text,
        'available', (coalesce(balance::numeric - held - floor, 0)
                      * currency.unit)::text,
        'credit_limit', (-nullif(floor, 0) * currency.unit)::text,
        'frozen', nullif(frozen, false),
        'at', azora.rfc3339(at)))
$$;

COMMENT ON FUNCTION ledger.wallet_document(ledger.currency, bigint, bigint,
                                           bigint, boolean, timestamptz) IS
    'A wallet as its owner sees it';

CREATE OR REPLACE FUNCTION ledger.get_wallet(
    caller    azora.caller,
    currency  text,
    at        timestamptz DEFAULT NULL
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    document  json;
BEGIN
    IF at IS NULL OR at >= now() THEN
        SELECT ledger.wallet_document(c, a.balance, a.held, a.floor, a.frozen)
        INTO document
        FROM ledger.currency AS c
             LEFT JOIN ledger.account AS a
                  ON a.owner = caller.subject
                 AND a.currency = c.code
                 AND a.kind = 'wallet'
        WHERE c.code = get_wallet.currency;

    ELSE
        -- What could be spent then also hung on a limit that is not kept.
        SELECT ledger.wallet_document(c, b.balance, b.held, 0, false,
                                      get_wallet.at)
        INTO document
        FROM ledger.currency AS c
             LEFT JOIN ledger.account AS a
                  ON a.owner = caller.subject
                 AND a.currency = c.code
                 AND a.kind = 'wallet'
             CROSS JOIN LATERAL ledger.balance_at(a.id, get_wallet.at) AS b
        WHERE c.code = get_wallet.currency;
    END IF;

    IF document IS NULL THEN
        RETURN ledger.unknown_currency();
    END IF;

    RETURN (200, document, NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.get_wallet(azora.caller, text, timestamptz) IS
    'GET /v1/wallets/{currency}';

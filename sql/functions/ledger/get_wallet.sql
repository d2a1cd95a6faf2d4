CREATE OR REPLACE FUNCTION ledger.get_wallet(
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
    SELECT json_build_object(
               'currency', c.code,
               'posted', (coalesce(a.balance, 0) * c.unit)::text,
               'pending', (coalesce(a.held, 0) * c.unit)::text,
               'available', (coalesce(a.balance - a.held, 0) * c.unit)::text)
    INTO document
    FROM ledger.currency AS c
         LEFT JOIN ledger.account AS a
              ON a.owner = caller.subject
             AND a.currency = c.code
             AND a.kind = 'wallet'
    WHERE c.code = get_wallet.currency;

    IF document IS NULL THEN
        RETURN ledger.unknown_currency();
    END IF;

    RETURN (200, document, NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.get_wallet(azora.caller, text) IS
    'GET /v1/wallets/{currency}';

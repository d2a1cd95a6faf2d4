-- A currency with the accounts of the house: issuance may go down to
-- -issuable minor units, the fund and the fees have four credit-only parts.
CREATE OR REPLACE FUNCTION ledger.open_currency(
    code      text,
    scale     int,
    name      text,
    issuable  bigint
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    INSERT INTO ledger.currency AS c (code, scale, unit, factor, name)
    VALUES (open_currency.code, open_currency.scale,
            ('1e-' || open_currency.scale)::numeric,
            ('1e' || open_currency.scale)::numeric, open_currency.name)
    ON CONFLICT ON CONSTRAINT currency_pkey DO UPDATE
    SET name = excluded.name;

    INSERT INTO ledger.account (kind, currency, floor)
    VALUES ('issuance', code, -issuable),
           ('exchange', code, 0),
           ('citadel_fund', code, 0),
           ('marketplace', code, 0)
    ON CONFLICT DO NOTHING;

    INSERT INTO ledger.account (kind, currency, parent, slot)
    SELECT a.kind, a.currency, a.id, s.slot
    FROM ledger.account AS a
         CROSS JOIN generate_series(1, 4) AS s (slot)
    WHERE a.kind IN ('citadel_fund', 'marketplace')
      AND a.currency = code
      AND a.slot = 0
    ON CONFLICT DO NOTHING;
END
$$;

COMMENT ON FUNCTION ledger.open_currency(text, int, text, bigint) IS
    'Makes a currency and its accounts of the house';

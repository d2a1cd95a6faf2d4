-- A line of a statement. The other side is an account id, or the kind of an
-- account that is nobody's. Put together as transfer_document() is, and STABLE
-- for the same reason.
CREATE OR REPLACE FUNCTION ledger.posting_document(
    seq           bigint,
    at            timestamptz,
    amount        numeric,
    balance       numeric,
    kind          text,
    counterparty  text,
    memo          text,
    transfer      uuid
) RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT ('{"seq":' || seq || ',"at":"' || azora.rfc3339(at)
            || '","amount":"' || amount || '","balance":"' || balance
            || '","kind":"' || kind || '","counterparty":"' || counterparty
            || '"' || coalesce(',"memo":' || to_json(memo), '')
            || ',"transfer":"' || transfer || '"}')::json
$$;

COMMENT ON FUNCTION ledger.posting_document(bigint, timestamptz, numeric,
                                            numeric, text, text, text,
                                            uuid) IS
    'A line of a statement';

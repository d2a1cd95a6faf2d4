-- The books at one snapshot: what was issued is held by somebody, so that the
-- sum of each currency is zero.
CREATE OR REPLACE FUNCTION ledger.trial_balance(caller azora.caller)
RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    items  json[];
BEGIN
    SELECT array_agg(json_build_object(
               'currency', b.code,
               'issued', (b.issued * b.unit)::text,
               'held', (b.held * b.unit)::text,
               'sum', ((b.held - b.issued) * b.unit)::text) ORDER BY b.code)
    INTO items
    FROM (SELECT c.code, c.unit,
                 coalesce(sum(-a.balance) FILTER (WHERE a.kind = 'issuance'),
                          0) AS issued,
                 coalesce(sum(a.balance) FILTER (WHERE a.kind <> 'issuance'),
                          0) AS held
          FROM ledger.currency AS c
               LEFT JOIN ledger.account AS a ON a.currency = c.code
          GROUP BY c.code, c.unit) AS b;

    RETURN (200,
            json_build_object('items', array_to_json(coalesce(items, '{}')),
                              'next', NULL),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.trial_balance(azora.caller) IS
    'GET /v1/ledger/trial-balance';

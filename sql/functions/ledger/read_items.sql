-- The items of a batch whose wallets are locked: who pays whom how much, and
-- what is wrong already. owners says, by place, who the recipients are.
CREATE OR REPLACE FUNCTION ledger.read_items(
    callers     azora.caller[],
    owners      uuid[],
    currencies  text[],
    addresses   text[],
    amounts     text[],
    memos       text[],
    states      ledger.state[]
) RETURNS ledger.item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    ids  uuid[] := azora.uuid7_series(clock_timestamp(),
                                      cardinality(callers));
BEGIN
    RETURN ARRAY(
        SELECT (i.n, i.id, s.id, r.id, i.minor, i.currency, 'transfer', NULL,
                i.address, i.memo, i.key, i.payload_hash,
                CASE
                    WHEN i.code IS NULL THEN 'unknown-currency'
                    WHEN i.minor IS NULL
                    THEN ledger.money_problem(i.amount, i.scale)
                    WHEN length(i.memo) > 280 THEN 'memo-too-long'
                    WHEN length(i.key) NOT BETWEEN 1 AND 255
                    THEN 'invalid-idempotency-key'
                    WHEN i.owner = i.subject THEN 'same-account'
                    WHEN r.id IS NULL THEN 'unknown-recipient'
                    WHEN s.id IS NULL THEN 'insufficient-funds'
                END,
                NULL, i.n)::ledger.item
        FROM (SELECT u.n, u.id, u.subject, u.key, u.payload_hash, u.owner,
                     u.currency, u.address, u.amount, u.memo, c.code, c.scale,
                     ledger.money_minor(u.amount, c.scale, c.factor) AS minor
              FROM unnest(ids, callers, owners, currencies, addresses,
                          amounts, memos) WITH ORDINALITY
                   AS u (id, subject, session, roles, request_id, traceparent,
                         client, route, key, payload_hash, owner, currency,
                         address, amount, memo, n)
                   LEFT JOIN ledger.currency AS c ON c.code = u.currency
              OFFSET 0) AS i
             LEFT JOIN unnest(states) AS s
                  ON s.owner = i.subject AND s.currency = i.currency
             LEFT JOIN unnest(states) AS r
                  ON r.owner = i.owner AND r.currency = i.currency
        ORDER BY i.n);
END
$$;

COMMENT ON FUNCTION ledger.read_items(azora.caller[], uuid[], text[], text[],
                                      text[], text[], ledger.state[]) IS
    'Reads the items of a batch';

-- First step of a batch: who pays whom how much, and what is wrong already. A
-- recipient named by account id whose wallet exists costs one index lookup;
-- for others owners, by place in the batch, says who was found.
CREATE OR REPLACE FUNCTION ledger.read_items(
    callers     azora.caller[],
    currencies  text[],
    addresses   text[],
    amounts     text[],
    memos       text[],
    owners      uuid[]
) RETURNS ledger.item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    prefix  text := azora.uuid7_prefix(clock_timestamp());
    items   ledger.item[];
BEGIN
    SELECT array_agg((
        i.n, (prefix || substr(gen_random_uuid()::text, 16))::uuid,
        s.id, r.id, m.minor, i.currency, 'transfer', NULL, i.address, i.memo,
        i.key, i.payload_hash,
        CASE
            WHEN c.code IS NULL THEN 'unknown-currency'
            WHEN m.minor IS NULL THEN ledger.money_problem(i.amount, c.scale)
            WHEN length(i.memo) > 280 THEN 'memo-too-long'
            WHEN length(i.key) NOT BETWEEN 1 AND 255
            THEN 'invalid-idempotency-key'
            WHEN r.id IS NULL THEN 'unknown-recipient'
            WHEN r.id = s.id THEN 'same-account'
            WHEN s.id IS NULL THEN 'insufficient-funds'
        END,
        NULL, i.n)::ledger.item ORDER BY i.n)
    INTO items
    FROM unnest(callers, currencies, addresses, amounts, memos, owners)
         WITH ORDINALITY
         AS i (subject, session, roles, request_id, traceparent, client,
               route, key, payload_hash, currency, address, amount, memo,
               owner, n)
         LEFT JOIN ledger.currency AS c ON c.code = i.currency
         LEFT JOIN ledger.account AS s
              ON s.owner = i.subject
             AND s.currency = i.currency
             AND s.kind = 'wallet'
         LEFT JOIN ledger.account AS r
              ON r.owner = CASE
                     WHEN i.owner IS NOT NULL THEN i.owner
                     WHEN i.address ~* azora.uuid_pattern()
                     THEN i.address::uuid
                 END
             AND r.currency = i.currency
             AND r.kind = 'wallet'
         CROSS JOIN LATERAL (
             SELECT ledger.money_minor(i.amount, c.scale, c.factor) AS minor
         ) AS m;

    RETURN items;
END
$$;

COMMENT ON FUNCTION ledger.read_items(azora.caller[], text[], text[], text[],
                                      text[], uuid[]) IS
    'Reads the items of a batch';

-- A line of a statement. The other side is an account id, or the kind of an
-- account that is nobody's.
CREATE OR REPLACE FUNCTION ledger.posting_document(
    seq       bigint,
    amount    bigint,
    balance   bigint,
    transfer  uuid
) RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_strip_nulls(json_build_object(
        'seq', posting_document.seq,
        'at', azora.rfc3339(t.created_at),
        'amount', (posting_document.amount * c.unit)::text,
        'balance', (posting_document.balance * c.unit)::text,
        'kind', t.kind,
        'counterparty', coalesce(o.owner::text, o.kind),
        'memo', t.memo,
        'transfer', t.id))
    FROM ledger.transfer AS t
         JOIN ledger.currency AS c ON c.code = t.currency
         JOIN ledger.account AS o
              ON o.id = CASE WHEN posting_document.amount < 0
                        THEN t.credit ELSE t.debit END
    WHERE t.id = posting_document.transfer
$$;

COMMENT ON FUNCTION ledger.posting_document(bigint, bigint, bigint, uuid) IS
    'A line of a statement';

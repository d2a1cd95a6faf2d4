-- A transfer as either side sees it: a superset of what the sender was
-- answered. What the sender attached is put in as it was written: stripping
-- would take the nulls out of that, too.
CREATE OR REPLACE FUNCTION ledger.transfer_view(id uuid)
RETURNS json
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT (rtrim(json_strip_nulls(json_build_object(
            'id', t.id,
            'kind', t.kind,
            'currency', t.currency,
            'amount', (t.amount * c.unit)::text,
            'from', coalesce(d.owner::text, d.kind),
            'to', coalesce(t.recipient, r.owner::text, r.kind),
            'memo', t.memo,
            'reversal_of', v.original,
            'reversed', (SELECT (sum(b.amount) * c.unit)::text
                         FROM ledger.reversal AS b
                         WHERE b.original = t.id),
            'created_at', azora.rfc3339(t.created_at)))::text, '}')
            || coalesce(',"metadata":' || m.body::text, '') || '}')::json
        FROM ledger.transfer AS t
             JOIN ledger.currency AS c ON c.code = t.currency
             JOIN ledger.account AS d ON d.id = t.debit
             JOIN ledger.account AS r ON r.id = t.credit
             LEFT JOIN ledger.metadata AS m ON m.transfer = t.id
             LEFT JOIN ledger.reversal AS v ON v.transfer = t.id
        WHERE t.id = transfer_view.id);
END
$$;

COMMENT ON FUNCTION ledger.transfer_view(uuid) IS
    'A transfer as either side sees it';

-- Either side may read a transfer. It has a superset of what the sender was
-- answered.
CREATE OR REPLACE FUNCTION ledger.get_transfer(caller azora.caller, id uuid)
RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    document  json;
BEGIN
    SELECT json_strip_nulls(json_build_object(
               'id', t.id,
               'kind', t.kind,
               'currency', t.currency,
               'amount', (t.amount * c.unit)::text,
               'from', coalesce(d.owner::text, d.kind),
               'to', coalesce(t.recipient, r.owner::text, r.kind),
               'memo', t.memo,
               'created_at', azora.rfc3339(t.created_at)))
    INTO document
    FROM ledger.transfer AS t
         JOIN ledger.currency AS c ON c.code = t.currency
         JOIN ledger.account AS d ON d.id = t.debit
         JOIN ledger.account AS r ON r.id = t.credit
    WHERE t.id = get_transfer.id
      AND caller.subject IN (d.owner, r.owner);

    IF document IS NULL THEN
        RETURN azora.refusal(404, 'not-found', 'There is no such transfer.');
    END IF;

    RETURN (200, document, NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.get_transfer(azora.caller, uuid) IS
    'GET /v1/transfers/{id}';

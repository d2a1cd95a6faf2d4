-- A hold as both sides see it.
CREATE OR REPLACE FUNCTION ledger.hold_document(hold uuid)
RETURNS json
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT json_strip_nulls(json_build_object(
            'id', h.id,
            'state', h.state,
            'currency', c.code,
            'amount', (h.amount * c.unit)::text,
            'from', d.owner,
            'to', coalesce(h.recipient, r.owner::text, r.kind),
            'memo', h.memo,
            'posted', CASE WHEN h.state = 'posted'
                           THEN (h.posted * c.unit)::text END,
            'transfer', h.transfer,
            'created_at', azora.rfc3339(h.created_at),
            'expires_at', azora.rfc3339(h.expires_at),
            'settles_at', azora.rfc3339(h.settles_at),
            'ended_at', azora.rfc3339(h.settled_at)))
        FROM ledger.hold AS h
             JOIN ledger.account AS d ON d.id = h.account
             JOIN ledger.currency AS c ON c.code = d.currency
             LEFT JOIN ledger.account AS r ON r.id = h.credit
        WHERE h.id = hold_document.hold);
END
$$;

COMMENT ON FUNCTION ledger.hold_document(uuid) IS
    'A hold as both sides see it';

-- The event of a hold, about the payer whose money it is.
CREATE OR REPLACE FUNCTION ledger.journal_hold(
    type         text,
    hold         uuid,
    traceparent  text
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM journal.append(
        journal_hold.type, d.owner,
        jsonb_strip_nulls(jsonb_build_object(
            'hold', h.id, 'debit', h.account, 'credit', h.credit,
            'currency', d.currency, 'minor', h.amount,
            'posted_minor', nullif(h.posted, 0),
            'transfer', h.transfer)),
        journal_hold.traceparent)
    FROM ledger.hold AS h
         JOIN ledger.account AS d ON d.id = h.account
    WHERE h.id = journal_hold.hold;
END
$$;

COMMENT ON FUNCTION ledger.journal_hold(text, uuid, text) IS
    'Journals what happened to a hold';

-- What the journal keeps of a transfer. As text, and STABLE, as
-- transfer_document() is.
CREATE OR REPLACE FUNCTION ledger.transfer_event(
    id        uuid,
    debit     bigint,
    credit    bigint,
    currency  text,
    minor     bigint
) RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT ('{"transfer":"' || id || '","debit":' || debit || ',"credit":'
            || credit || ',"currency":"' || currency || '","minor":' || minor
            || '}')::json
$$;

COMMENT ON FUNCTION ledger.transfer_event(uuid, bigint, bigint, text, bigint)
    IS 'What the journal keeps of a transfer';

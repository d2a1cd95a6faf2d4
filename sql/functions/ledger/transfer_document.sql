-- A transfer as its sender gets it: the same for the first answer, for every
-- repeat of its key, and in what a batch answers. STABLE as what it calls is:
-- anything stricter keeps the planner from putting it in place.
CREATE OR REPLACE FUNCTION ledger.transfer_document(
    id          uuid,
    currency    text,
    amount      bigint,
    unit        numeric,
    recipient   text,
    memo        text,
    created_at  text
) RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT CASE WHEN memo IS NULL
        THEN json_build_object(
            'id', id, 'currency', currency, 'amount', (amount * unit)::text,
            'to', recipient, 'created_at', created_at)
        ELSE json_build_object(
            'id', id, 'currency', currency, 'amount', (amount * unit)::text,
            'to', recipient, 'memo', memo, 'created_at', created_at)
        END
$$;

COMMENT ON FUNCTION ledger.transfer_document(uuid, text, bigint, numeric,
                                             text, text, text) IS
    'A transfer as its sender gets it';

-- A transfer as its sender gets it: the same for the first answer and for
-- every repeat of its key. Put together as text, which takes half the time of
-- json_build_object() and leaves out its spaces; only what a person wrote
-- needs quoting. STABLE as what it calls is: anything stricter keeps the
-- planner from putting it in place.
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
    SELECT ('{"id":"' || id || '","currency":"' || currency
            || '","amount":"' || amount * unit || '","to":'
            || to_json(recipient)
            || coalesce(',"memo":' || to_json(memo), '')
            || ',"created_at":"' || created_at || '"}')::json
$$;

COMMENT ON FUNCTION ledger.transfer_document(uuid, text, bigint, numeric,
                                             text, text, text) IS
    'A transfer as its sender gets it';

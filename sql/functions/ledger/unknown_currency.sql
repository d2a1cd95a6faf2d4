CREATE OR REPLACE FUNCTION ledger.unknown_currency()
RETURNS azora.reply
LANGUAGE sql IMMUTABLE
AS $$
    SELECT azora.refusal(404, 'unknown-currency',
                         'There is no such currency.')
$$;

COMMENT ON FUNCTION ledger.unknown_currency() IS
    'What a wrong currency gets';

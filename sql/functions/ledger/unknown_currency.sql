CREATE OR REPLACE FUNCTION ledger.unknown_currency()
RETURNS azora.reply
LANGUAGE sql IMMUTABLE
AS $$
    SELECT azora.refusal(404, 'unknown-currency',
                         'There is no such currency.')
$$;

COMMENT ON FUNCTION ledger.unknown_currency() IS
    'What a wrong currency gets';

-- For write functions; a currency that is not named is none to refuse.
CREATE OR REPLACE FUNCTION ledger.require_currency(currency text)
RETURNS void
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF currency IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM ledger.currency AS c
        WHERE c.code = require_currency.currency)
    THEN
        PERFORM azora.refuse(422, 'unknown-currency',
                             'There is no such currency.', '/currency');
    END IF;
END
$$;

COMMENT ON FUNCTION ledger.require_currency(text) IS
    'Refuses a currency that does not exist';

-- Writes the whole batch if every item of it is good. NULL, with nothing
-- written and nothing locked any more, when one is not: something unknown, a
-- frozen wallet, a key used before, or funds that would not have been there in
-- the order of arrival. The handler makes one subtransaction for the batch,
-- not one per item.
CREATE OR REPLACE FUNCTION ledger.quick_batch(
    callers     azora.caller[],
    currencies  text[],
    addresses   text[],
    amounts     text[],
    memos       text[]
) RETURNS ledger.item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    owners  uuid[] := ledger.read_owners(addresses);
    states  ledger.state[];
    items   ledger.item[];
BEGIN
    states := ledger.lock_wallets(callers, owners, currencies);
    items := ledger.read_items(callers, owners, currencies, addresses,
                               amounts, memos, states);

    IF EXISTS (SELECT 1 FROM unnest(items) AS i WHERE i.problem IS NOT NULL)
       OR EXISTS (SELECT 1 FROM unnest(states) AS s WHERE s.frozen)
    THEN
        -- Through the handler, which gives the locks back.
        RAISE SQLSTATE 'AZ001' USING MESSAGE = 'decide one by one';
    END IF;

    PERFORM ledger.apply(items, states);
    PERFORM ledger.journal_transfers(callers, items);

    RETURN items;
EXCEPTION
    WHEN unique_violation OR SQLSTATE 'AZ001' OR SQLSTATE 'AZ409' THEN
        RETURN NULL;
END
$$;

COMMENT ON FUNCTION ledger.quick_batch(azora.caller[], text[], text[],
                                       text[], text[]) IS
    'Writes a batch if all of it is good';

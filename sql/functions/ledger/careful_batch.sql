-- Finds recipients, opens wallets, decides the items one by one and writes
-- those that are good. Wallets are opened before anything is locked: locks
-- have to come in one order.
CREATE OR REPLACE FUNCTION ledger.careful_batch(
    callers     azora.caller[],
    currencies  text[],
    addresses   text[],
    amounts     text[],
    memos       text[]
) RETURNS ledger.item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    owners    uuid[] := ledger.find_owners(addresses, currencies);
    states    ledger.state[];
    items     ledger.item[];
    accepted  ledger.item[];
BEGIN
    states := ledger.lock_wallets(callers, owners, currencies);
    items := ledger.decide(
        ledger.read_items(callers, owners, currencies, addresses, amounts,
                          memos, states),
        states);

    accepted := ARRAY(
        SELECT i FROM unnest(items) AS i
        WHERE i.problem IS NULL AND i.original IS NULL AND i.leader = i.n
        ORDER BY i.n);

    IF cardinality(accepted) > 0 THEN
        PERFORM ledger.apply(accepted, states);
        PERFORM ledger.journal_transfers(callers, accepted);
    END IF;

    RETURN items;
END
$$;

COMMENT ON FUNCTION ledger.careful_batch(azora.caller[], text[], text[],
                                         text[], text[]) IS
    'Decides the items of a batch one by one';

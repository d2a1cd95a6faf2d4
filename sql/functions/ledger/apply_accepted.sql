-- Writes and journals what decide() let pass.
CREATE OR REPLACE FUNCTION ledger.apply_accepted(
    callers  azora.caller[],
    items    ledger.item[],
    states   ledger.state[]
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    accepted  ledger.item[] := ARRAY(
        SELECT i FROM unnest(items) AS i
        WHERE i.problem IS NULL AND i.original IS NULL AND i.leader = i.n);
BEGIN
    IF cardinality(accepted) > 0 THEN
        PERFORM ledger.apply(accepted, states);
        PERFORM ledger.journal_transfers(callers, accepted);
    END IF;
END
$$;

COMMENT ON FUNCTION ledger.apply_accepted(azora.caller[], ledger.item[],
                                          ledger.state[]) IS
    'Writes the good items of a batch';

-- The quick way: writes the whole batch if every item of it is good. False,
-- and nothing written, when one is not: a problem, a frozen wallet, a key used
-- before, or funds that would not have been there in the order of arrival. The
-- handler makes one subtransaction for the batch, not one per item.
CREATE OR REPLACE FUNCTION ledger.apply_whole(
    items   ledger.item[],
    states  ledger.state[]
) RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM unnest(items) AS i WHERE i.problem IS NOT NULL)
       OR EXISTS (SELECT 1 FROM unnest(states) AS s WHERE s.frozen)
    THEN
        RETURN false;
    END IF;

    PERFORM ledger.apply(items, states);

    RETURN true;
EXCEPTION
    WHEN unique_violation OR SQLSTATE 'AZ409' THEN
        RETURN false;
END
$$;

COMMENT ON FUNCTION ledger.apply_whole(ledger.item[], ledger.state[]) IS
    'Writes a batch if all of it is good';

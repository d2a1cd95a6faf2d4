-- Second step, only when a recipient has no wallet yet or was named by e-mail
-- address: asks for all of those at once and opens the missing wallets.
CREATE OR REPLACE FUNCTION ledger.find_recipients(items ledger.item[])
RETURNS ledger.item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    owners      uuid[];
    currencies  text[];
    places      bigint[];
    id          bigint;
BEGIN
    SELECT array_agg(r.account), array_agg(items[r.n].currency),
           array_agg(r.n)
    INTO owners, currencies, places
    FROM identity.resolve(ARRAY(
             SELECT CASE WHEN i.problem = 'unknown-recipient'
                    THEN i.recipient ELSE '' END
             FROM unnest(items) AS i)) AS r;

    IF places IS NULL THEN
        RETURN items;
    END IF;

    PERFORM ledger.open_wallets(owners, currencies);

    FOR k IN 1 .. cardinality(places) LOOP
        SELECT a.id INTO id
        FROM ledger.account AS a
        WHERE a.owner = owners[k]
          AND a.currency = currencies[k]
          AND a.kind = 'wallet';

        items[places[k]].credit := id;
        items[places[k]].problem := CASE
            WHEN items[places[k]].debit = id THEN 'same-account'
            WHEN items[places[k]].debit IS NULL THEN 'insufficient-funds'
        END;
    END LOOP;

    RETURN items;
END
$$;

COMMENT ON FUNCTION ledger.find_recipients(ledger.item[]) IS
    'Finds recipients by address and opens their wallets';

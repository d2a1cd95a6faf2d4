-- Second step, only when a recipient has no wallet yet or was named by e-mail
-- address: asks for all of those at once and opens the missing wallets. Gives
-- the accounts by place in the batch, NULL where there is none.
CREATE OR REPLACE FUNCTION ledger.find_recipients(items ledger.item[])
RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    found  uuid[];
BEGIN
    SELECT array_agg(r.account ORDER BY i.n) INTO found
    FROM unnest(items) AS i
         LEFT JOIN identity.resolve(ARRAY(
             SELECT CASE WHEN u.problem = 'unknown-recipient'
                    THEN u.recipient ELSE '' END
             FROM unnest(items) AS u
             ORDER BY u.n)) AS r ON r.n = i.n;

    PERFORM ledger.open_wallets(array_agg(f.owner), array_agg(f.currency))
    FROM (SELECT found[i.n] AS owner, i.currency
          FROM unnest(items) AS i) AS f
    WHERE f.owner IS NOT NULL;

    RETURN found;
END
$$;

COMMENT ON FUNCTION ledger.find_recipients(ledger.item[]) IS
    'Finds recipients by address and opens their wallets';

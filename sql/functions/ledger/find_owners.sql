-- Whom addresses name, by place, NULL for nobody; opens the wallets that are
-- missing. To be called before anything is locked.
CREATE OR REPLACE FUNCTION ledger.find_owners(
    addresses   text[],
    currencies  text[]
) RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    owners  uuid[];
BEGIN
    owners := ARRAY(
        SELECT r.account
        FROM generate_series(1, cardinality(addresses)) AS i (n)
             LEFT JOIN identity.resolve(addresses) AS r ON r.n = i.n
        ORDER BY i.n);

    PERFORM ledger.open_wallets(array_agg(o.owner), array_agg(o.currency))
    FROM unnest(owners, currencies) AS o (owner, currency)
         JOIN ledger.currency AS c ON c.code = o.currency
    WHERE o.owner IS NOT NULL;

    RETURN owners;
END
$$;

COMMENT ON FUNCTION ledger.find_owners(text[], text[]) IS
    'Finds recipients and opens their wallets';

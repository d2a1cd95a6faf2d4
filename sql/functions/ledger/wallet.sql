-- Wallets come into being when money first reaches them. In the order of their
-- key, so that two transactions which open the same ones cannot deadlock; only
-- those that are missing, because an INSERT waits for whoever is changing the
-- row that it meets.
CREATE OR REPLACE FUNCTION ledger.open_wallets(
    owners      uuid[],
    currencies  text[]
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    INSERT INTO ledger.account (owner, kind, currency)
    SELECT DISTINCT o.owner, 'wallet', o.currency
    FROM unnest(owners, currencies) AS o (owner, currency)
    WHERE NOT EXISTS (
        SELECT 1 FROM ledger.account AS a
        WHERE a.owner = o.owner
          AND a.currency = o.currency
          AND a.kind = 'wallet')
    ORDER BY o.owner, o.currency
    ON CONFLICT DO NOTHING;
END
$$;

COMMENT ON FUNCTION ledger.open_wallets(uuid[], text[]) IS
    'Makes the wallets that do not exist yet';

-- All wallets of a person, or that of one currency; those that do not exist
-- yet are made, so that none can come into being beside what is done to them.
CREATE OR REPLACE FUNCTION ledger.all_wallets(
    owner     uuid,
    currency  text DEFAULT NULL
) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM ledger.open_wallets(array_agg(all_wallets.owner),
                                array_agg(c.code))
    FROM ledger.currency AS c
    WHERE c.code = coalesce(all_wallets.currency, c.code);

    RETURN ARRAY(SELECT a.id
                 FROM ledger.account AS a
                 WHERE a.owner = all_wallets.owner
                   AND a.kind = 'wallet'
                   AND a.currency = coalesce(all_wallets.currency,
                                             a.currency));
END
$$;

COMMENT ON FUNCTION ledger.all_wallets(uuid, text) IS
    'Accounts of a person''s wallets, in all currencies';

-- The wallet of one owner, made when it does not exist.
CREATE OR REPLACE FUNCTION ledger.wallet(owner uuid, currency text)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    id  bigint;
BEGIN
    FOR attempt IN 1 .. 2 LOOP
        SELECT a.id INTO id
        FROM ledger.account AS a
        WHERE a.owner = wallet.owner
          AND a.currency = wallet.currency
          AND a.kind = 'wallet';

        EXIT WHEN FOUND;

        PERFORM ledger.open_wallets(ARRAY[owner], ARRAY[currency]);
    END LOOP;

    RETURN id;
END
$$;

COMMENT ON FUNCTION ledger.wallet(uuid, text) IS
    'Account of an owner''s wallet';

-- The account of the house to debit (slot 0), or to credit: a busy account is
-- split into slots, and each connection credits the one of its process, so
-- that connections do not queue for one row.
CREATE OR REPLACE FUNCTION ledger.house(kind text, currency text)
RETURNS bigint
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT a.id
        FROM ledger.account AS a
        WHERE a.kind = house.kind
          AND a.currency = house.currency
          AND a.slot = CASE WHEN house.kind IN ('issuance', 'exchange') THEN 0
                            ELSE 1 + pg_backend_pid() % 4 END);
END
$$;

COMMENT ON FUNCTION ledger.house(text, text) IS
    'Account of the house in a currency';

-- What administrators' acts do to money. Each movement refers to its operation
-- and is of another kind, so that none can be done twice.

CREATE OR REPLACE FUNCTION ledger.do_mint(o ledger.operation)
RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    policy    ledger.issuance_policy := ledger.lock_issuance(o.currency);
    wallet    bigint := ledger.wallet((o.arguments ->> 'owner')::uuid,
                                      o.currency);
    issuance  bigint := ledger.house('issuance', o.currency);
BEGIN
    UPDATE ledger.issuance_day AS d
    SET issued = d.issued + o.minor
    WHERE d.currency = o.currency
      AND d.day = ledger.today()
      AND d.issued <= policy.mint_day_max - o.minor;

    IF NOT FOUND THEN
        PERFORM azora.refuse(409, 'issuance-limit',
            'No more of this currency may be minted today.');
    END IF;

    IF EXISTS (SELECT 1
               FROM unnest(ledger.lock_accounts(ARRAY[wallet, issuance])) AS s
               WHERE s.id = issuance AND ledger.available(s) < o.minor)
    THEN
        PERFORM azora.refuse(409, 'issuance-limit',
            'All of this currency that may ever be is out.');
    END IF;

    RETURN (ledger.post(ARRAY[
        ledger.movement(issuance, wallet, o.minor, o.currency, 'issue',
                        o.id)]))[1];
END
$$;

COMMENT ON FUNCTION ledger.do_mint(ledger.operation) IS
    'Issues money to a wallet';

CREATE OR REPLACE FUNCTION ledger.do_burn(o ledger.operation)
RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    INSERT INTO ledger.issuance_day AS d (currency, day, burned)
    VALUES (o.currency, ledger.today(), o.minor)
    ON CONFLICT (currency, day) DO UPDATE
    SET burned = d.burned + excluded.burned;

    RETURN (ledger.post(ARRAY[
        ledger.movement(ledger.wallet((o.arguments ->> 'owner')::uuid,
                                      o.currency),
                        ledger.house('issuance', o.currency), o.minor,
                        o.currency, 'burn', o.id)]))[1];
END
$$;

COMMENT ON FUNCTION ledger.do_burn(ledger.operation) IS
    'Takes money of a wallet out of circulation';

CREATE OR REPLACE FUNCTION ledger.do_reverse(o ledger.operation)
RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN ledger.give_back(
        (SELECT t FROM ledger.transfer AS t
         WHERE t.id = (o.arguments ->> 'original')::uuid), o.minor, NULL);
END
$$;

COMMENT ON FUNCTION ledger.do_reverse(ledger.operation) IS
    'Gives a transfer back for its recipient';

-- Also wallets that nothing has reached yet.
CREATE OR REPLACE FUNCTION ledger.do_freeze(
    o       ledger.operation,
    frozen  boolean
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    ids  bigint[] := ledger.all_wallets((o.arguments ->> 'owner')::uuid,
                                        o.currency);
BEGIN
    PERFORM ledger.lock_accounts(ids);

    UPDATE ledger.account AS a
    SET frozen = do_freeze.frozen
    WHERE a.id = ANY (ids);
END
$$;

COMMENT ON FUNCTION ledger.do_freeze(ledger.operation, boolean) IS
    'Freezes or thaws wallets';

CREATE OR REPLACE FUNCTION ledger.do_credit_limit(o ledger.operation)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM ledger.set_floor(ledger.wallet((o.arguments ->> 'owner')::uuid,
                                           o.currency), -o.minor);
END
$$;

COMMENT ON FUNCTION ledger.do_credit_limit(ledger.operation) IS
    'Lets a wallet go below zero';

-- How far an account may go below zero from now on; what is held counts as
-- used.
CREATE OR REPLACE FUNCTION ledger.set_floor(account bigint, floor bigint)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM ledger.lock_accounts(ARRAY[account]);

    UPDATE ledger.account AS a
    SET floor = set_floor.floor
    WHERE a.id = account AND a.balance - a.held >= set_floor.floor;

    IF NOT FOUND THEN
        PERFORM azora.refuse(409, 'credit-in-use',
            'More credit than this is in use.');
    END IF;
END
$$;

COMMENT ON FUNCTION ledger.set_floor(bigint, bigint) IS
    'Sets how far an account may go below zero';

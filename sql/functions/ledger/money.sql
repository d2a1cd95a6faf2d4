-- Money on the wire is a decimal string in major units, inside it is minor
-- units: numeric multiplication by a power of ten is exact, floating point
-- never takes part.

-- Minor units of an amount; NULL for what is no positive amount with at most
-- scale decimals that fits in 64 bits. The CASEs nest because only they fix
-- the order of evaluation; what they let pass numeric can read. No regular
-- expression, because this runs for every transfer.
CREATE OR REPLACE FUNCTION ledger.money_minor(
    amount  text,
    scale   int,
    factor  numeric
) RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE
        WHEN length(amount) BETWEEN 1 AND 32
             AND translate(amount, '0123456789', '') IN ('', '.')
             AND amount <> '.'
        THEN CASE
            WHEN scale(amount::numeric) <= scale
                 AND amount::numeric * factor
                     BETWEEN 1 AND 9223372036854775807
            THEN (amount::numeric * factor)::bigint
        END
    END
$$;

COMMENT ON FUNCTION ledger.money_minor(text, int, numeric) IS
    'Minor units of a decimal string, or NULL';

-- Why money_minor() gave NULL.
CREATE OR REPLACE FUNCTION ledger.money_problem(amount text, scale int)
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE
        WHEN amount ~ '^[0-9]{1,40}\.[0-9]{1,40}$'
             AND length(split_part(amount, '.', 2)) > scale
        THEN 'too-many-decimals'
        ELSE 'amount-out-of-range'
    END
$$;

COMMENT ON FUNCTION ledger.money_problem(text, int) IS
    'Name of what is wrong with an amount';

-- An amount as it is sent, with all decimals of its currency.
CREATE OR REPLACE FUNCTION ledger.money_text(currency text, minor bigint)
RETURNS text
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT (money_text.minor * c.unit)::text
        FROM ledger.currency AS c
        WHERE c.code = money_text.currency);
END
$$;

COMMENT ON FUNCTION ledger.money_text(text, bigint) IS
    'Decimal string of minor units';

-- The nearest number that 64 bits hold: for differences and sums that are only
-- compared with amounts, to which what is beyond makes no difference.
CREATE OR REPLACE FUNCTION ledger.bounded(minor numeric)
RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT
AS $$
BEGIN
    RETURN greatest(-9223372036854775807,
                    least(minor, 9223372036854775807));
END
$$;

COMMENT ON FUNCTION ledger.bounded(numeric) IS
    'A number of minor units within 64 bits';

-- money_minor() for write functions, with their refusals.
CREATE OR REPLACE FUNCTION ledger.require_amount(
    currency  text,
    amount    text,
    pointer   text
) RETURNS bigint
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    decimals  int;
    minor     bigint;
BEGIN
    SELECT c.scale, ledger.money_minor(amount, c.scale, c.factor)
    INTO decimals, minor
    FROM ledger.currency AS c
    WHERE c.code = currency;

    IF decimals IS NULL THEN
        PERFORM azora.refuse(422, 'unknown-currency',
            'There is no such currency.', '/currency');
    END IF;

    IF minor IS NULL THEN
        PERFORM azora.refuse(p.status, p.problem, p.detail,
                             require_amount.pointer)
        FROM ledger.transfer_problem() AS p
        WHERE p.problem = ledger.money_problem(amount, decimals);
    END IF;

    RETURN minor;
END
$$;

COMMENT ON FUNCTION ledger.require_amount(text, text, text) IS
    'Minor units of a decimal string, or a refusal';

-- The same for an amount that may be absent.
CREATE OR REPLACE FUNCTION ledger.optional_amount(
    currency  text,
    amount    text,
    pointer   text
) RETURNS bigint
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN CASE WHEN amount IS NOT NULL
                THEN ledger.require_amount(currency, amount, pointer) END;
END
$$;

COMMENT ON FUNCTION ledger.optional_amount(text, text, text) IS
    'Minor units of a decimal string, if there is one';

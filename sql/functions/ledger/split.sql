-- Parts of an amount by 1/10000. Each is rounded down, and what that leaves,
-- less than one minor unit a part, goes to the first: the parts always make
-- the whole. numeric, because minor * bps may not fit in 64 bits.
CREATE OR REPLACE FUNCTION ledger.split_minor(minor bigint, bps int[])
RETURNS bigint[]
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    RETURN (
        SELECT array_agg(
                   CASE WHEN p.n = 1
                        THEN split_minor.minor - p.others ELSE p.part
                   END ORDER BY p.n)
        FROM (SELECT u.n, u.part,
                     (sum(u.part) OVER ()
                      - first_value(u.part) OVER (ORDER BY u.n))::bigint
                     AS others
              FROM (SELECT b.n,
                           trunc(split_minor.minor::numeric * b.bps / 10000)
                           ::bigint AS part
                    FROM unnest(bps) WITH ORDINALITY AS b (bps, n)) AS u) AS p);
END
$$;

COMMENT ON FUNCTION ledger.split_minor(bigint, int[]) IS
    'Parts of an amount that make the whole';

-- Pays one amount to several people by their parts of it, all or none.
CREATE OR REPLACE FUNCTION ledger.split_transfer(
    caller    azora.caller,
    currency  text,
    amount    text,
    parts     jsonb,
    memo      text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    minor   bigint;
    bps     int[] := ARRAY(SELECT (p.part ->> 'bps')::int
                           FROM jsonb_array_elements(parts) WITH ORDINALITY
                                AS p (part, n) ORDER BY p.n);
    shares  bigint[];
BEGIN
    IF NOT EXISTS (SELECT 1 FROM ledger.currency AS c
                   WHERE c.code = split_transfer.currency)
    THEN
        PERFORM azora.refuse(404, 'unknown-currency',
                             'There is no such currency.');
    END IF;

    minor := ledger.require_amount(currency, amount, '/amount');

    IF (SELECT sum(b.bps) FROM unnest(bps) AS b (bps)) <> 10000 THEN
        PERFORM azora.refuse(422, 'invalid-split',
                             'The parts have to make 10000.', '/parts');
    END IF;

    shares := ledger.split_minor(minor, bps);

    IF 0 = ANY (shares) THEN
        PERFORM azora.refuse(422, 'invalid-split',
            'A part is less than the smallest amount.', '/amount');
    END IF;

    RETURN ledger.send_list((
        SELECT jsonb_agg(jsonb_build_object(
                   'to', p.part ->> 'to', 'memo', memo,
                   'amount', ledger.money_text(currency, shares[p.n::int]))
                   ORDER BY p.n)
        FROM jsonb_array_elements(parts) WITH ORDINALITY AS p (part, n)),
        caller, currency, true, '/parts/');
END
$$;

COMMENT ON FUNCTION ledger.split_transfer(azora.caller, text, text, jsonb,
                                          text) IS
    'POST /v1/wallets/{currency}/splits';

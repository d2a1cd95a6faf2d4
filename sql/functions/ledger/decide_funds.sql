-- Decides in the order of arrival what each sender can still pay, counting
-- what it received before in the same batch. Plain arrays, because a block
-- with an exception handler per item would be a subtransaction per item.
CREATE OR REPLACE FUNCTION ledger.decide_funds(
    items   ledger.item[],
    states  ledger.state[]
) RETURNS ledger.item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    payers      int[];
    payees      int[];
    amounts     bigint[];
    candidates  boolean[];
    available   bigint[];
BEGIN
    WITH place AS MATERIALIZED (
        SELECT s.id, s.balance - s.reserve AS available,
               row_number() OVER (ORDER BY s.id) AS k
        FROM unnest(states) AS s
    )
    SELECT array_agg(p.k ORDER BY i.n), array_agg(q.k ORDER BY i.n),
           array_agg(i.amount ORDER BY i.n),
           array_agg(i.problem IS NULL AND i.original IS NULL
                     AND i.leader = i.n ORDER BY i.n),
           (SELECT array_agg(o.available ORDER BY o.k) FROM place AS o)
    INTO payers, payees, amounts, candidates, available
    FROM unnest(items) AS i
         LEFT JOIN place AS p ON p.id = i.debit
         LEFT JOIN place AS q ON q.id = i.credit;

    FOR n IN 1 .. cardinality(items) LOOP
        CONTINUE WHEN NOT candidates[n];

        IF available[payers[n]] < amounts[n] THEN
            items[n].problem := 'insufficient-funds';
            CONTINUE;
        END IF;

        available[payers[n]] := available[payers[n]] - amounts[n];
        available[payees[n]] := available[payees[n]] + amounts[n];
    END LOOP;

    RETURN items;
END
$$;

COMMENT ON FUNCTION ledger.decide_funds(ledger.item[], ledger.state[]) IS
    'Decides what senders can pay, in the order of arrival';

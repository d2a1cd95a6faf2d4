-- Decides in the order of arrival what each sender can still pay, counting
-- what it received before in the same batch. Plain arrays, because a block
-- with an exception handler per item would be a subtransaction per item.
CREATE OR REPLACE FUNCTION ledger.decide_funds(items ledger.item[])
RETURNS ledger.item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    payers      int[];
    payees      int[];
    amounts     bigint[];
    candidates  boolean[];
    available   bigint[];
BEGIN
    WITH place AS (
        SELECT a.id, a.balance - a.held - a.floor AS available,
               row_number() OVER (ORDER BY a.id) AS k
        FROM ledger.account AS a
        WHERE a.id IN (SELECT unnest(ARRAY[i.debit, i.credit])
                       FROM unnest(items) AS i)
    )
    SELECT array_agg(d.payer), array_agg(d.payee), array_agg(d.amount),
           array_agg(d.candidate),
           (SELECT array_agg(o.available ORDER BY o.k) FROM place AS o)
    INTO payers, payees, amounts, candidates, available
    FROM (SELECT p.k AS payer, q.k AS payee, i.amount,
                 i.problem IS NULL AND i.original IS NULL
                 AND i.leader = i.n AS candidate
          FROM unnest(items) AS i
               LEFT JOIN place AS p ON p.id = i.debit
               LEFT JOIN place AS q ON q.id = i.credit
          ORDER BY i.n) AS d;

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

COMMENT ON FUNCTION ledger.decide_funds(ledger.item[]) IS
    'Decides what senders can pay, in the order of arrival';

-- Decides in the order of arrival what each sender can still pay, counting
-- what it received before in the same batch, and what the limits of both sides
-- leave. Plain arrays, because a block with an exception handler per item
-- would be a subtransaction per item; of numeric where what is added to a
-- balance may go beyond 64 bits.
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
    available   numeric[];
    space       numeric[];
    most        bigint[];
    today       bigint[];
    counts      bigint[];
    room        numeric[];
    limited     bigint[];
    problem     text;
    payer       int;
    payee       int;
BEGIN
    WITH place AS MATERIALIZED (
        SELECT s.id, s.balance::numeric - s.reserve AS available,
               9223372036854775807::numeric - s.balance AS space,
               row_number() OVER (ORDER BY s.id) AS k
        FROM unnest(states) AS s
    )
    SELECT array_agg(p.k ORDER BY i.n), array_agg(q.k ORDER BY i.n),
           array_agg(i.amount ORDER BY i.n),
           array_agg(i.problem IS NULL AND i.original IS NULL
                     AND i.leader = i.n ORDER BY i.n),
           (SELECT array_agg(o.available ORDER BY o.k) FROM place AS o),
           (SELECT array_agg(o.space ORDER BY o.k) FROM place AS o)
    INTO payers, payees, amounts, candidates, available, space
    FROM unnest(items) AS i
         LEFT JOIN place AS p ON p.id = i.debit
         LEFT JOIN place AS q ON q.id = i.credit;

    SELECT array_agg(a.transfer_max ORDER BY s.id),
           array_agg(a.day_left ORDER BY s.id),
           array_agg(a.count_left ORDER BY s.id),
           array_agg(a.balance_left ORDER BY s.id),
           array_agg(a.account) FILTER (WHERE a.account IS NOT NULL)
    INTO most, today, counts, room, limited
    FROM unnest(states) AS s
         LEFT JOIN ledger.allowances(
                       states,
                       ARRAY(SELECT i.debit FROM unnest(items) AS i))
              AS a ON a.account = s.id;

    FOR n IN 1 .. cardinality(items) LOOP
        CONTINUE WHEN NOT candidates[n];

        payer := payers[n];
        payee := payees[n];
        problem := CASE
            WHEN available[payer] < amounts[n] THEN 'insufficient-funds'
            WHEN amounts[n] > most[payer] THEN 'transfer-limit'
            WHEN amounts[n] > today[payer] THEN 'day-limit'
            WHEN counts[payer] <= 0 THEN 'velocity-limit'
            WHEN amounts[n] > room[payee] THEN 'balance-limit'
            WHEN amounts[n] > space[payee] THEN 'amount-out-of-range'
        END;

        IF problem IS NOT NULL THEN
            items[n].problem := problem;
            candidates[n] := false;
            CONTINUE;
        END IF;

        available[payer] := available[payer] - amounts[n];
        available[payee] := available[payee] + amounts[n];
        space[payer] := space[payer] + amounts[n];
        space[payee] := space[payee] - amounts[n];
        today[payer] := today[payer] - amounts[n];
        counts[payer] := counts[payer] - 1;
        room[payer] := room[payer] + amounts[n];
        room[payee] := room[payee] - amounts[n];
    END LOOP;

    IF limited IS NOT NULL THEN
        PERFORM ledger.count_spending(array_agg(i.debit),
                                      array_agg(i.amount))
        FROM unnest(items) AS i
        WHERE candidates[i.n] AND i.debit = ANY (limited)
        HAVING count(*) > 0;
    END IF;

    RETURN items;
END
$$;

COMMENT ON FUNCTION ledger.decide_funds(ledger.item[], ledger.state[]) IS
    'Decides what senders can pay, in the order of arrival';

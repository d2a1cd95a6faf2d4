-- A repeat is answered from the transfer that had its key, in this batch
-- (leader) or before (original).
CREATE OR REPLACE FUNCTION ledger.mixed_replies(items ledger.item[])
RETURNS SETOF azora.batch_reply
LANGUAGE sql STABLE
AS $$
    SELECT i.n,
           CASE WHEN t.id IS NOT NULL THEN 201 ELSE p.status END,
           CASE WHEN t.id IS NOT NULL
                THEN ledger.transfer_document(
                    t.id, t.currency, t.amount, c.unit, t.recipient, t.memo,
                    azora.rfc3339(t.created_at))
           END,
           NULL::text, '/v1/transfers/' || t.id, p.problem, p.detail,
           p.pointer
    FROM unnest(items) AS i
         JOIN unnest(items) AS l ON l.n = i.leader
         LEFT JOIN ledger.transfer AS t
              ON t.id = CASE
                  WHEN coalesce(i.problem, l.problem) IS NULL
                  THEN coalesce(i.original, l.original, l.id) END
         LEFT JOIN ledger.currency AS c ON c.code = t.currency
         LEFT JOIN ledger.transfer_problem() AS p
              ON p.problem = coalesce(i.problem, l.problem)
$$;

COMMENT ON FUNCTION ledger.mixed_replies(ledger.item[]) IS
    'Answers of a batch in which some are refused or repeated';

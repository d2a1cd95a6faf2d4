-- What senders attached to those items of a batch that became transfers.
CREATE OR REPLACE FUNCTION ledger.keep_metadata(
    items     ledger.item[],
    metadata  jsonb[]
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    INSERT INTO ledger.metadata (transfer, body)
    SELECT i.id, m.body
    FROM unnest(items) AS i
         JOIN unnest(metadata) WITH ORDINALITY AS m (body, n) ON m.n = i.n
    WHERE m.body IS NOT NULL
      AND i.problem IS NULL
      AND i.original IS NULL
      AND i.leader = i.n;
END
$$;

COMMENT ON FUNCTION ledger.keep_metadata(ledger.item[], jsonb[]) IS
    'Keeps what senders attached';

-- The event of each transfer, about its sender.
CREATE OR REPLACE FUNCTION ledger.journal_transfers(
    callers   azora.caller[],
    accepted  ledger.item[]
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    subjects      uuid[];
    payloads      json[];
    traceparents  text[];
BEGIN
    SELECT array_agg(c.subject),
           array_agg(ledger.transfer_event(i.id, i.debit, i.credit,
                                           i.currency, i.amount)),
           array_agg(c.traceparent)
    INTO subjects, payloads, traceparents
    FROM unnest(accepted) AS i
         JOIN unnest(callers) WITH ORDINALITY
              AS c (subject, session, roles, request_id, traceparent,
                    address, route, key, payload_hash, n) ON c.n = i.n;

    PERFORM journal.append_batch('payment.completed', subjects, payloads,
                                 traceparents);
END
$$;

COMMENT ON FUNCTION ledger.journal_transfers(azora.caller[], ledger.item[]) IS
    'Journals the transfers of a batch';

-- Gives back what was received, all that is left of it or a part. It is the
-- recipient's to do: it is their money. The two accounts' locks are taken
-- before what was given back so far is read, so that racing ones cannot give
-- back more than there was.
CREATE OR REPLACE FUNCTION ledger.reverse_transfer(
    caller  azora.caller,
    id      uuid,
    amount  text,
    memo    text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    original  ledger.transfer := (
                  SELECT t FROM ledger.transfer AS t
                  WHERE t.id = reverse_transfer.id);
    payer     uuid;
    payee     uuid;
    back      uuid;
BEGIN
    SELECT d.owner, r.owner INTO payer, payee
    FROM ledger.account AS d, ledger.account AS r
    WHERE d.id = original.debit AND r.id = original.credit;

    IF caller.subject = payer THEN
        PERFORM azora.refuse(403, 'wrong-party',
            'Only who received a transfer can give it back.');
    ELSIF caller.subject IS DISTINCT FROM payee THEN
        PERFORM azora.refuse(404, 'not-found', 'There is no such transfer.');
    END IF;

    back := ledger.give_back(
        original,
        ledger.optional_amount(original.currency, amount, '/amount'), memo);

    PERFORM journal.append('payment.reversed', caller.subject,
        jsonb_build_object('transfer', back, 'original', id,
                           'debit', original.credit,
                           'credit', original.debit,
                           'currency', original.currency,
                           'minor', (SELECT r.amount FROM ledger.reversal AS r
                                     WHERE r.transfer = back)),
        caller.traceparent);

    RETURN (201, ledger.transfer_view(back), NULL,
            '/v1/transfers/' || back)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.reverse_transfer(azora.caller, uuid, text, text) IS
    'POST /v1/transfers/{id}/reversal';

-- What was not given back yet.
CREATE OR REPLACE FUNCTION ledger.left_of(original ledger.transfer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN (
        SELECT (original.amount - coalesce(sum(r.amount), 0))::bigint
        FROM ledger.reversal AS r
        WHERE r.original = left_of.original.id);
END
$$;

COMMENT ON FUNCTION ledger.left_of(ledger.transfer) IS
    'What was not given back of a transfer';

-- The movement of a reversal; minor NULL is all that is left.
CREATE OR REPLACE FUNCTION ledger.give_back(
    original  ledger.transfer,
    minor     bigint,
    memo      text
) RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    rest  bigint;
    back  uuid;
BEGIN
    IF original.kind NOT IN ('transfer', 'hold') THEN
        PERFORM azora.refuse(409, 'not-reversible',
            'This movement is not one that can be given back.');
    END IF;

    PERFORM ledger.lock_accounts(ARRAY[original.debit, original.credit]);

    IF ledger.is_closed(original.debit) THEN
        PERFORM azora.refuse(409, 'not-reversible',
            'Who paid this is not here any more.');
    END IF;

    rest := ledger.left_of(original);
    minor := coalesce(minor, rest);

    IF rest = 0 OR minor > rest THEN
        PERFORM azora.refuse(409, 'reversal-exceeds',
            'Less than this is left of the transfer.');
    END IF;

    back := (ledger.post(ARRAY[
        ledger.movement(original.credit, original.debit, minor,
                        original.currency, 'reversal', NULL, memo)]))[1];

    INSERT INTO ledger.reversal (transfer, original, amount)
    VALUES (back, original.id, minor);

    RETURN back;
END
$$;

COMMENT ON FUNCTION ledger.give_back(ledger.transfer, bigint, text) IS
    'The movement of a reversal';

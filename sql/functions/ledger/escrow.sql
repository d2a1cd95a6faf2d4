-- Escrow for the market: one account for each milestone. released + refunded +
-- fee = funded, because settling pays out the whole balance. The market holds
-- the milestone's lock, so that one transaction at a time gets here.

-- Moves the payer's money into the milestone's account: a payment as any other
-- to the limits of the payer, or they would end where a contract begins.
CREATE OR REPLACE FUNCTION ledger.fund_escrow(
    payer      uuid,
    milestone  uuid,
    currency   text,
    minor      bigint
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    wallet  bigint := ledger.wallet(payer, currency);
    escrow  bigint;
BEGIN
    INSERT INTO ledger.account (kind, currency, reference)
    VALUES ('escrow', fund_escrow.currency, milestone)
    ON CONFLICT DO NOTHING;

    SELECT a.id INTO escrow
    FROM ledger.account AS a
    WHERE a.reference = milestone AND a.kind = 'escrow';

    PERFORM ledger.require_allowance(s, minor)
    FROM unnest(ledger.lock_accounts(ARRAY[wallet, escrow])) AS s
    WHERE s.id = wallet;

    PERFORM ledger.post(ARRAY[
        ledger.movement(wallet, escrow, minor, currency, 'escrow_fund',
                        milestone)]);
END
$$;

COMMENT ON FUNCTION ledger.fund_escrow(uuid, uuid, text, bigint) IS
    'Moves money into a milestone''s account';

-- Pays out a milestone's account: refunded to the payer, fee to the house, and
-- what is left to the payee.
CREATE OR REPLACE FUNCTION ledger.settle_escrow(
    milestone  uuid,
    payer      uuid,
    payee      uuid,
    refunded   bigint,
    fee        bigint
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    escrow  record;
BEGIN
    SELECT a.id, a.balance, a.currency INTO escrow
    FROM ledger.account AS a
    WHERE a.reference = milestone AND a.kind = 'escrow';

    PERFORM ledger.post(ARRAY[
        ledger.movement(escrow.id, ledger.wallet(payee, escrow.currency),
                        escrow.balance - refunded - fee, escrow.currency,
                        'escrow_release', milestone),
        ledger.movement(escrow.id, ledger.wallet(payer, escrow.currency),
                        refunded, escrow.currency, 'escrow_refund',
                        milestone),
        ledger.movement(escrow.id, ledger.house('marketplace',
                                                escrow.currency),
                        fee, escrow.currency, 'escrow_fee', milestone)]);

    UPDATE ledger.account AS a
    SET closed_at = now()
    WHERE a.id = escrow.id;
END
$$;

COMMENT ON FUNCTION ledger.settle_escrow(uuid, uuid, uuid, bigint, bigint) IS
    'Pays out a milestone''s account';

-- The hold of a caller who is one of its sides, which of the two, and what a
-- step needs of it. Others are told that there is none. Nothing is locked:
-- what matters here never changes.
CREATE OR REPLACE FUNCTION ledger.require_hold(
    caller  azora.caller,
    hold    uuid,
    OUT party       text,
    OUT credit      bigint,
    OUT amount      bigint,
    OUT currency    text,
    OUT memo        text
)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    expires  timestamptz;
BEGIN
    SELECT CASE caller.subject WHEN d.owner THEN 'payer'
                               WHEN c.owner THEN 'payee' END,
           h.credit, h.amount, d.currency, h.memo, h.expires_at
    INTO party, credit, amount, currency, memo, expires
    FROM ledger.hold AS h
         JOIN ledger.account AS d ON d.id = h.account
         JOIN ledger.account AS c ON c.id = h.credit
    WHERE h.id = require_hold.hold;

    IF party IS NULL THEN
        PERFORM azora.refuse(404, 'not-found', 'There is no such hold.');
    ELSIF expires <= now() THEN
        PERFORM azora.refuse(409, 'wrong-state', 'This hold has expired.');
    END IF;
END
$$;

COMMENT ON FUNCTION ledger.require_hold(azora.caller, uuid) IS
    'A hold of the caller''s';

-- Pays a hold. The payee takes all or a part, the rest is the payer's again;
-- the payer can pay early, and only all: less would take from the payee what
-- was promised.
CREATE OR REPLACE FUNCTION ledger.capture_hold(
    caller  azora.caller,
    id      uuid,
    amount  text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held   record;
    minor  bigint;
BEGIN
    SELECT r.party, r.credit, r.amount, r.currency, r.memo INTO held
    FROM ledger.require_hold(caller, id) AS r;

    minor := CASE WHEN amount IS NULL THEN held.amount
                  ELSE ledger.require_amount(held.currency, amount,
                                             '/amount') END;

    IF held.party = 'payer' AND minor < held.amount THEN
        PERFORM azora.refuse(403, 'wrong-party',
            'Only who is to be paid can take less than was held.');
    END IF;

    PERFORM ledger.post_hold(id, held.credit, minor, 'hold', held.memo);
    PERFORM ledger.journal_hold('hold.posted', id, caller.traceparent);

    RETURN (200, ledger.hold_document(id), NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.capture_hold(azora.caller, uuid, text) IS
    'POST /v1/holds/{id}/post';

-- Gives up a hold: the payee's to do, whose promise it is.
CREATE OR REPLACE FUNCTION ledger.release_hold(caller azora.caller, id uuid)
RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF (SELECT r.party FROM ledger.require_hold(caller, id) AS r) = 'payer'
    THEN
        PERFORM azora.refuse(403, 'wrong-party',
            'Only who is to be paid can give a hold up.');
    END IF;

    PERFORM ledger.give_hold_back(id, 'voided', caller.traceparent);

    RETURN (200, ledger.hold_document(id), NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.release_hold(azora.caller, uuid) IS
    'POST /v1/holds/{id}/void';

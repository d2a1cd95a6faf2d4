-- Holds: money that is promised and not yet paid. Whoever changes one locks
-- the hold first and its accounts after it, in the order of their ids.

-- Holds money of an account until it is posted, voided or expired. What could
-- not be posted now is not promised; only the payer is locked, because posting
-- looks again.
CREATE OR REPLACE FUNCTION ledger.place_hold(
    account     bigint,
    minor       bigint,
    reference   uuid,
    expires_at  timestamptz DEFAULT NULL,
    settles_at  timestamptz DEFAULT NULL,
    credit      bigint DEFAULT NULL,
    recipient   text DEFAULT NULL,
    memo        text DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    hold   uuid := azora.uuid7();
    state  ledger.state := (ledger.lock_accounts(ARRAY[account]))[1];
BEGIN
    IF EXISTS (SELECT 1 FROM ledger.account AS a
               WHERE a.id IN (place_hold.account, credit)
                 AND (a.frozen OR a.closed_at IS NOT NULL))
    THEN
        PERFORM ledger.refuse_transfer('account-frozen');
    ELSIF minor <= 0 THEN
        PERFORM ledger.refuse_transfer('amount-out-of-range');
    ELSIF ledger.available(state) < minor THEN
        PERFORM ledger.refuse_transfer('insufficient-funds');
    END IF;

    PERFORM ledger.require_allowance(state, minor);

    UPDATE ledger.account AS a
    SET held = a.held + minor
    WHERE a.id = account;

    INSERT INTO ledger.hold (id, account, amount, reference, expires_at,
                             settles_at, credit, recipient, memo,
                             created_at)
    VALUES (hold, place_hold.account, minor, place_hold.reference,
            place_hold.expires_at, place_hold.settles_at, place_hold.credit,
            place_hold.recipient, place_hold.memo, clock_timestamp());

    RETURN hold;
END
$$;

COMMENT ON FUNCTION ledger.place_hold(bigint, bigint, uuid, timestamptz,
                                      timestamptz, bigint, text, text) IS
    'Holds money of an account';

-- The only way a hold ends: frees what was held and keeps how it ended.
CREATE OR REPLACE FUNCTION ledger.hold_transition(
    hold      uuid,
    to_state  text,
    posted    bigint DEFAULT 0,
    transfer  uuid DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    UPDATE ledger.hold AS h
    SET state = to_state,
        posted = hold_transition.posted,
        transfer = hold_transition.transfer,
        settled_at = clock_timestamp()
    WHERE h.id = hold AND h.state = 'pending';

    IF NOT FOUND THEN
        PERFORM azora.refuse(409, 'wrong-state',
                             'This hold has ended before.');
    END IF;
END
$$;

COMMENT ON FUNCTION ledger.hold_transition(uuid, text, bigint, uuid) IS
    'Ends a hold';

-- Locks a pending hold and its accounts and gives its money free.
CREATE OR REPLACE FUNCTION ledger.free_hold(
    hold    uuid,
    credit  bigint,
    OUT account   bigint,
    OUT amount    bigint,
    OUT currency  text
)
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    SELECT h.account, h.amount INTO account, amount
    FROM ledger.hold AS h
    WHERE h.id = hold AND h.state = 'pending'
    FOR NO KEY UPDATE;

    IF account IS NULL THEN
        PERFORM azora.refuse(409, 'wrong-state',
                             'This hold has ended before.');
    END IF;

    PERFORM ledger.lock_accounts(ARRAY[account, credit]);

    UPDATE ledger.account AS a
    SET held = a.held - free_hold.amount
    WHERE a.id = free_hold.account
    RETURNING a.currency INTO currency;
END
$$;

COMMENT ON FUNCTION ledger.free_hold(uuid, bigint) IS
    'Gives the money of a hold free';

-- Pays a hold, or a part of it; the rest is free again. Only one of many that
-- try gets it.
CREATE OR REPLACE FUNCTION ledger.post_hold(
    hold    uuid,
    credit  bigint,
    minor   bigint,
    kind    text,
    memo    text DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    freed     record;
    transfer  uuid;
BEGIN
    SELECT f.account, f.amount, f.currency INTO freed
    FROM ledger.free_hold(hold, credit) AS f;

    IF minor NOT BETWEEN 1 AND freed.amount THEN
        PERFORM ledger.refuse_transfer('amount-out-of-range');
    END IF;

    PERFORM ledger.require_room(credit, minor);

    transfer := (ledger.post(ARRAY[
        ledger.movement(freed.account, credit, minor, freed.currency, kind,
                        hold, memo)]))[1];

    PERFORM ledger.hold_transition(hold, 'posted', minor, transfer);

    RETURN transfer;
END
$$;

COMMENT ON FUNCTION ledger.post_hold(uuid, bigint, bigint, text, text) IS
    'Pays a hold or a part of it';

-- Ends a hold of which nothing is paid: it was voided, or has expired.
CREATE OR REPLACE FUNCTION ledger.give_hold_back(
    hold         uuid,
    to_state     text,
    traceparent  text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM ledger.free_hold(hold, NULL);
    PERFORM ledger.hold_transition(hold, to_state);
    PERFORM ledger.journal_hold('hold.' || to_state, hold, traceparent);
END
$$;

COMMENT ON FUNCTION ledger.give_hold_back(uuid, text, text) IS
    'Ends a hold without paying';

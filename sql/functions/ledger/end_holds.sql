-- Tasks that end holds when their time has come. The times are stored, so a
-- stop of whatever length only makes it later; the hold's own lock and state
-- make it once. All accounts are locked before the first is touched, in the
-- one order.

-- Frees holds that nobody posted in time.
CREATE OR REPLACE FUNCTION ledger.expire_holds(batch int)
RETURNS int
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    holds  uuid[];
    hold   uuid;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('ledger.expire_holds')) THEN
        RETURN 0;
    END IF;

    holds := ARRAY(SELECT h.id
                   FROM ledger.hold AS h
                   WHERE h.state = 'pending' AND h.expires_at <= now()
                   ORDER BY h.expires_at
                   LIMIT batch
                   FOR NO KEY UPDATE SKIP LOCKED);

    PERFORM ledger.lock_accounts(ARRAY(SELECT h.account
                                       FROM ledger.hold AS h
                                       WHERE h.id = ANY (holds)));

    FOREACH hold IN ARRAY holds LOOP
        PERFORM ledger.give_hold_back(hold, 'expired');
    END LOOP;

    RETURN cardinality(holds);
END
$$;

COMMENT ON FUNCTION ledger.expire_holds(int) IS
    'Ends holds whose time is over';

-- What becomes of a hold that is due; NULL when it has to wait. What was
-- promised to somebody in the moment they went is given up, as all before it
-- was. What a frozen payer promised waits until they thaw. What the payee
-- cannot take waits for 30 days: the payer has no other way to have it back.
CREATE OR REPLACE FUNCTION ledger.end_of_settlement(
    hold   ledger.hold,
    payer  ledger.account,
    payee  ledger.account
) RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT CASE
        WHEN payee.closed_at IS NOT NULL THEN 'voided'
        WHEN payer.frozen THEN NULL
        WHEN NOT payee.frozen
             AND (hold.amount <= ledger.room_of(payee.id)) IS NOT false
        THEN 'posted'
        WHEN hold.settles_at <= now() - interval '30 days' THEN 'expired'
    END
$$;

COMMENT ON FUNCTION ledger.end_of_settlement(ledger.hold, ledger.account,
                                             ledger.account) IS
    'What becomes of a hold that is due';

-- Ends holds whose settlement was promised for now, as far as they can be.
CREATE OR REPLACE FUNCTION ledger.settle_holds(batch int)
RETURNS int
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    holds  uuid[];
    hold   record;
    n      int := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('ledger.settle_holds')) THEN
        RETURN 0;
    END IF;

    holds := ARRAY(SELECT h.id
                   FROM ledger.hold AS h
                        JOIN ledger.account AS d ON d.id = h.account
                        JOIN ledger.account AS c ON c.id = h.credit
                   WHERE h.state = 'pending' AND h.settles_at <= now()
                     AND ledger.end_of_settlement(h, d, c) IS NOT NULL
                   ORDER BY h.settles_at
                   LIMIT batch
                   FOR NO KEY UPDATE OF h SKIP LOCKED);

    PERFORM ledger.lock_accounts(ARRAY(
        SELECT a.id
        FROM ledger.hold AS h
             CROSS JOIN LATERAL (VALUES (h.account), (h.credit)) AS a (id)
        WHERE h.id = ANY (holds)));

    -- Asked again, because the locks may have come after a freeze.
    FOR hold IN
        SELECT h.id, h.credit, h.amount, h.memo,
               ledger.end_of_settlement(h, d, c) AS state
        FROM ledger.hold AS h
             JOIN ledger.account AS d ON d.id = h.account
             JOIN ledger.account AS c ON c.id = h.credit
        WHERE h.id = ANY (holds)
          AND ledger.end_of_settlement(h, d, c) IS NOT NULL
        ORDER BY h.settles_at, h.id
    LOOP
        BEGIN
            IF hold.state = 'posted' THEN
                PERFORM ledger.post_hold(hold.id, hold.credit, hold.amount,
                                         'hold', hold.memo);
                PERFORM ledger.journal_hold('hold.posted', hold.id, NULL);
            ELSE
                PERFORM ledger.give_hold_back(hold.id, hold.state);
            END IF;

            n := n + 1;
        EXCEPTION
            -- it waits, and must not keep the others waiting
            WHEN OTHERS THEN
                RAISE WARNING 'hold % could not be settled: %', hold.id,
                              SQLERRM;
        END;
    END LOOP;

    RETURN n;
END
$$;

COMMENT ON FUNCTION ledger.settle_holds(int) IS
    'Ends holds whose settlement is due';

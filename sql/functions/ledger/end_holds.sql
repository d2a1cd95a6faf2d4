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

-- Pays holds whose settlement was promised for now. What is frozen, or more
-- than the payee may have, stays held until it no longer is; what was promised
-- to somebody in the moment they went is given up, as all before it was.
CREATE OR REPLACE FUNCTION ledger.settle_holds(batch int)
RETURNS int
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    holds   uuid[];
    states  ledger.state[];
    hold    record;
    n       int := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('ledger.settle_holds')) THEN
        RETURN 0;
    END IF;

    holds := ARRAY(SELECT h.id
                   FROM ledger.hold AS h
                        JOIN ledger.account AS d ON d.id = h.account
                        JOIN ledger.account AS c ON c.id = h.credit
                   WHERE h.state = 'pending' AND h.settles_at <= now()
                     AND (c.closed_at IS NOT NULL
                          OR NOT d.frozen AND NOT c.frozen
                             AND (h.amount <= ledger.room_of(h.credit))
                                 IS NOT false)
                   ORDER BY h.settles_at
                   LIMIT batch
                   FOR NO KEY UPDATE OF h SKIP LOCKED);

    states := ledger.lock_accounts(ARRAY(
        SELECT a.id
        FROM ledger.hold AS h
             CROSS JOIN LATERAL (VALUES (h.account), (h.credit)) AS a (id)
        WHERE h.id = ANY (holds)));

    FOR hold IN
        SELECT h.id, h.credit, h.amount, h.memo
        FROM ledger.hold AS h
        WHERE h.id = ANY (holds)
          AND (ledger.is_closed(h.credit)
               OR NOT EXISTS (SELECT 1 FROM unnest(states) AS s
                              WHERE s.id IN (h.account, h.credit)
                                AND s.frozen))
        ORDER BY h.settles_at, h.id
    LOOP
        BEGIN
            IF ledger.is_closed(hold.credit) THEN
                PERFORM ledger.give_hold_back(hold.id, 'voided');
            ELSE
                PERFORM ledger.post_hold(hold.id, hold.credit, hold.amount,
                                         'hold', hold.memo);
                PERFORM ledger.journal_hold('hold.posted', hold.id, NULL);
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
    'Pays holds whose settlement is due';

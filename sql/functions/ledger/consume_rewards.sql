-- A task: pays the reward of each first pass that the journal tells of. One
-- bad event fails alone and comes again later. RETURNS how many it settled.
CREATE OR REPLACE FUNCTION ledger.consume_rewards(batch int)
RETURNS int
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    event  record;
    n      int := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('ledger.consume_rewards')) THEN
        RETURN 0;
    END IF;

    FOR event IN
        SELECT d.entry, d.body, d.subject, d.traceparent
        FROM journal.due('ledger.rewards', batch) AS d
    LOOP
        n := n + 1;

        BEGIN
            IF journal.handled('ledger.rewards', event.entry) THEN
                PERFORM ledger.pay_reward(event.entry, event.body,
                                          event.traceparent);
            END IF;
        EXCEPTION
            WHEN OTHERS THEN
                PERFORM journal.failed('ledger.rewards', event.entry,
                                       SQLSTATE || ' ' || SQLERRM);
        END;
    END LOOP;

    RETURN n;
END
$$;

COMMENT ON FUNCTION ledger.consume_rewards(int) IS
    'Pays rewards that are due';

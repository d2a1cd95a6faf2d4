-- Locks all that the rewards of a batch touch, in the order of everybody else:
-- policies and days, and then accounts. One after another would have them in
-- the order in which quizzes were passed.
CREATE OR REPLACE FUNCTION ledger.lock_rewards(
    learners    uuid[],
    currencies  text[]
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    minted  text[] := ARRAY(SELECT c.code
                            FROM ledger.currency AS c
                            WHERE c.code = ANY (currencies)
                            ORDER BY c.code);
BEGIN
    PERFORM ledger.lock_issuance(c.code)
    FROM unnest(minted) AS c (code);

    PERFORM ledger.open_wallets(array_agg(l.owner), array_agg(l.currency))
    FROM unnest(learners, currencies) AS l (owner, currency)
    WHERE l.owner IS NOT NULL AND l.currency = ANY (minted);

    PERFORM ledger.lock_accounts(ARRAY(
        SELECT a.id
        FROM unnest(learners, currencies) AS l (owner, currency)
             JOIN ledger.account AS a
                  ON a.owner = l.owner
                 AND a.currency = l.currency
                 AND a.kind = 'wallet'
        UNION ALL
        SELECT ledger.house(h.kind, c.code)
        FROM unnest(minted) AS c (code)
             CROSS JOIN (VALUES ('issuance'), ('citadel_fund')) AS h (kind)));
END
$$;

COMMENT ON FUNCTION ledger.lock_rewards(uuid[], text[]) IS
    'Locks what a batch of rewards touches';

-- A task: pays the reward of each first pass that the journal tells of. One
-- bad event fails alone and comes again later. RETURNS how many it settled.
CREATE OR REPLACE FUNCTION ledger.consume_rewards(batch int)
RETURNS int
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entries       uuid[];
    events        json[];
    learners      uuid[];
    traceparents  text[];
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('ledger.consume_rewards')) THEN
        RETURN 0;
    END IF;

    SELECT array_agg(d.entry), array_agg(d.body), array_agg(d.subject),
           array_agg(d.traceparent)
    INTO entries, events, learners, traceparents
    FROM journal.due('ledger.rewards', batch) AS d;

    IF entries IS NULL THEN
        RETURN 0;
    END IF;

    PERFORM ledger.lock_rewards(learners, ARRAY(
        SELECT e.event ->> 'currency'
        FROM unnest(events) WITH ORDINALITY AS e (event, n)
        ORDER BY e.n));

    FOR n IN 1 .. cardinality(entries) LOOP
        BEGIN
            IF journal.handled('ledger.rewards', entries[n]) THEN
                PERFORM ledger.pay_reward(entries[n], events[n],
                                          traceparents[n]);
            END IF;
        EXCEPTION
            WHEN OTHERS THEN
                PERFORM journal.failed('ledger.rewards', entries[n],
                                       SQLSTATE || ' ' || SQLERRM);
        END;
    END LOOP;

    RETURN cardinality(entries);
END
$$;

COMMENT ON FUNCTION ledger.consume_rewards(int) IS
    'Pays rewards that are due';

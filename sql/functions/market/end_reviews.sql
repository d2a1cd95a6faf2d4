-- A task: work that its employer neither paid for nor sent back in the time of
-- its review is approved by silence. The time is stored, so that a stop of
-- whatever length only makes it later, and asked for again under the contract's
-- lock. One in a transaction, whatever the batch, because each locks accounts of
-- its own. What cannot be paid out now (somebody is frozen or has no room) is
-- tried again an hour later, and keeps nothing else waiting.
CREATE OR REPLACE FUNCTION market.end_reviews(batch int)
RETURNS int
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    contract   market.contract;
    milestone  uuid;
BEGIN
    SELECT m.id INTO milestone
    FROM market.milestone AS m
         JOIN market.contract AS c ON c.id = m.contract
    WHERE m.state = 'submitted' AND m.review_until <= now()
    ORDER BY m.review_until
    LIMIT 1
    FOR NO KEY UPDATE OF c SKIP LOCKED;

    IF NOT FOUND THEN
        RETURN 0;
    END IF;

    SELECT c.* INTO contract
    FROM market.contract AS c
         JOIN market.milestone AS m ON m.contract = c.id
    WHERE m.id = milestone
      AND m.state = 'submitted' AND m.review_until <= now();

    IF NOT FOUND THEN
        RETURN 1;
    END IF;

    BEGIN
        PERFORM market.approve_silently(contract, milestone);
    EXCEPTION
        WHEN OTHERS THEN
            RAISE WARNING 'milestone % could not be released: %', milestone,
                          SQLERRM;

            UPDATE market.milestone AS m
            SET review_until = now() + interval '1 hour'
            WHERE m.id = milestone;
    END;

    RETURN 1;
END
$$;

COMMENT ON FUNCTION market.end_reviews(int) IS
    'Releases what was submitted and not answered in time';

-- The caller holds the contract.
CREATE OR REPLACE FUNCTION market.approve_silently(
    contract   market.contract,
    milestone  uuid
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    silent  azora.caller;
BEGIN
    silent.subject := contract.employer;

    PERFORM market.milestone_transition(milestone, 'approved',
        silent.subject, 'The time of the review was over.');
    PERFORM market.settle(contract, milestone, 'released', silent.subject);
    PERFORM market.milestone_done(silent, milestone, 'milestone.released');
END
$$;

COMMENT ON FUNCTION market.approve_silently(market.contract, uuid) IS
    'Releases a milestone in the place of its employer';

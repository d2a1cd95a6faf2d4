-- Ends sessions of one account at once: their refresh tokens are dead with
-- this transaction, and their access tokens are refused as soon as a node has
-- read the revocation. Returns the value that the generation of sessions
-- moved to, NULL when there was nothing to end. The generation's row is locked
-- until the commit, so this comes last in a transaction.
CREATE OR REPLACE FUNCTION identity.end_sessions(
    caller    azora.caller,
    account   uuid,
    sessions  uuid[],
    reason    text
) RETURNS bigint
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    ended  uuid[];
    moved  bigint;
BEGIN
    WITH gone AS (
        UPDATE identity.session AS s
        SET revoked_at = now(), end_reason = end_sessions.reason
        WHERE s.id = ANY (end_sessions.sessions)
          AND s.account = end_sessions.account
          AND s.revoked_at IS NULL
        RETURNING s.id)
    SELECT array_agg(g.id) INTO ended FROM gone AS g;

    IF ended IS NULL THEN
        RETURN NULL;
    END IF;

    DELETE FROM identity.refresh_token AS t WHERE t.session = ANY (ended);

    PERFORM journal.append('session.ended', end_sessions.account,
        jsonb_build_object('account', end_sessions.account,
                           'sessions', ended, 'reason', reason),
        caller.traceparent);

    moved := azora.bump('sessions');

    INSERT INTO identity.revocation (seq, target)
    SELECT moved, e.id FROM unnest(ended) AS e (id);

    RETURN moved;
END
$$;

COMMENT ON FUNCTION identity.end_sessions(azora.caller, uuid, uuid[], text) IS
    'Ends sessions of an account';

-- The living sessions of an account, but for one.
CREATE OR REPLACE FUNCTION identity.other_sessions(account uuid, kept uuid)
RETURNS uuid[]
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT array_agg(s.id ORDER BY s.id)
        FROM identity.session AS s
        WHERE s.account = other_sessions.account
          AND s.id IS DISTINCT FROM other_sessions.kept
          AND s.revoked_at IS NULL);
END
$$;

COMMENT ON FUNCTION identity.other_sessions(uuid, uuid) IS
    'Living sessions of an account but one';

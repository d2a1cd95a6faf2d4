-- What a worker keeps in memory: revocations behind a value of the generation
-- of sessions, and in a first row without target that generation as this
-- snapshot has it. No access token lives longer than a day, nor does a node's
-- leeway exceed five minutes: older revocations say nothing. As many rows as
-- the limit say that there are more: NGINX knows that number, and keeps some
-- more that come one by one.
CREATE OR REPLACE FUNCTION identity.revocations(after bigint)
RETURNS TABLE (seq bigint, target uuid, epoch bigint, at bigint)
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT g.value, NULL::uuid, NULL::bigint, NULL::bigint
    FROM azora.generation AS g
    WHERE g.name = 'sessions'
    UNION ALL
    SELECT r.seq, r.target, r.epoch, r.at
    FROM (SELECT v.seq, v.target, v.epoch,
                 extract(epoch FROM v.at)::bigint AS at
          FROM identity.revocation AS v
          WHERE v.seq > revocations.after
            AND v.at > now() - interval '25 hours'
          ORDER BY v.seq DESC
          LIMIT 49153) AS r;
END
$$;

COMMENT ON FUNCTION identity.revocations(bigint) IS
    'Tokens that are refused before they expire';

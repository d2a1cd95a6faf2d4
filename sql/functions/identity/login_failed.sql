-- Counts a failed login. A count that has slept for a day begins anew. As in
-- login_wait(), no plan may read all failures.
CREATE OR REPLACE FUNCTION identity.login_failed(email text, address text)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off
AS $$
DECLARE
    who    bytea := sha256(convert_to(lower(email), 'UTF8'));
    place  text;
    n      int;
BEGIN
    -- The order is always the same, so that two failures cannot deadlock.
    FOR place IN
        SELECT DISTINCT p
        FROM unnest(ARRAY['', coalesce(login_failed.address, '')]) AS t (p)
        ORDER BY p
    LOOP
        INSERT INTO identity.login_failure AS f (principal, address, failures)
        VALUES (who, place, 1)
        ON CONFLICT ON CONSTRAINT login_failure_pkey DO UPDATE
        SET failures = CASE
                WHEN f.last_at < now() - interval '1 day' THEN 1
                ELSE f.failures + 1
            END,
            last_at = now()
        RETURNING f.failures INTO n;

        UPDATE identity.login_failure AS f
        SET blocked_until = now() + interval '1 second'
                            * least(900, 2 ^ least(n - 5, 10))
        WHERE f.principal = who AND f.address = place AND n >= 5;
    END LOOP;
END
$$;

COMMENT ON FUNCTION identity.login_failed(text, text) IS
    'Counts a failed login';

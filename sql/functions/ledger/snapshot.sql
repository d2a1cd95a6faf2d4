-- What was counted less than max_age ago, or is being counted anew by another
-- transaction right now. NULL makes the caller count: however many ask, the
-- accounts are read once in that time.
CREATE OR REPLACE FUNCTION ledger.kept_snapshot(
    name     text,
    max_age  interval
) RETURNS json
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    kept  record;
BEGIN
    SELECT s.at, s.body INTO kept
    FROM ledger.snapshot AS s
    WHERE s.name = kept_snapshot.name;

    IF kept.at > clock_timestamp() - max_age
       OR kept.at IS NOT NULL
          AND NOT pg_try_advisory_xact_lock(hashtext('ledger.snapshot'),
                                            hashtext(name))
    THEN
        RETURN kept.body;
    END IF;

    RETURN NULL;
END
$$;

COMMENT ON FUNCTION ledger.kept_snapshot(text, interval) IS
    'Figures that were counted lately';

CREATE OR REPLACE FUNCTION ledger.keep_snapshot(name text, body json)
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    INSERT INTO ledger.snapshot AS s (name, at, body)
    VALUES (keep_snapshot.name, now(), keep_snapshot.body)
    ON CONFLICT ON CONSTRAINT snapshot_pkey DO UPDATE
    SET at = excluded.at,
        body = excluded.body
    WHERE s.at < excluded.at
$$;

COMMENT ON FUNCTION ledger.keep_snapshot(text, json) IS
    'Keeps figures for others who ask';

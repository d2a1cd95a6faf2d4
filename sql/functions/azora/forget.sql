-- Deletes the oldest rows of a table whose time is over: at most batch of them,
-- and none that somebody holds, so that no run waits or makes others wait for
-- long. RETURNS how many. The names are those of the calling function.
CREATE OR REPLACE FUNCTION azora.forget(
    relation  regclass,
    at        name,
    age       interval,
    batch     int
) RETURNS int
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    gone  int;
BEGIN
    EXECUTE format(
        'DELETE FROM %1$s AS t
         WHERE t.ctid = ANY (ARRAY(
             SELECT o.ctid FROM %1$s AS o
             WHERE o.%2$I < now() - $1
             ORDER BY o.%2$I
             LIMIT $2
             FOR UPDATE SKIP LOCKED))', relation, at)
    USING age, batch;
    GET DIAGNOSTICS gone = ROW_COUNT;

    RETURN gone;
END
$$;

COMMENT ON FUNCTION azora.forget(regclass, name, interval, int) IS
    'Deletes rows whose time is over';

-- Named versions. Whoever changes what a cached answer shows bumps its
-- generation in the same transaction; the row's lock orders the bumps. The
-- number is the time in milliseconds, or one more than before: counted from
-- one, numbers would come again behind a restored backup, and mean something
-- else to whoever kept an answer under one of them.
CREATE OR REPLACE FUNCTION azora.bump(name text)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    moved  bigint;
BEGIN
    INSERT INTO azora.generation AS g (name, value)
    VALUES (bump.name, extract(epoch FROM clock_timestamp()) * 1000)
    ON CONFLICT ON CONSTRAINT generation_pkey
    DO UPDATE SET value = greatest(g.value + 1, excluded.value)
    RETURNING g.value INTO moved;

    PERFORM pg_notify('azora_generation', bump.name || ' ' || moved);

    RETURN moved;
END
$$;

COMMENT ON FUNCTION azora.bump(text) IS
    'Raises a generation and tells every node';

-- All generations, for a node that has just begun to listen.
CREATE OR REPLACE FUNCTION azora.generations()
RETURNS TABLE (name text, value bigint)
LANGUAGE sql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT g.name, g.value FROM azora.generation AS g
    UNION ALL
    SELECT 'journal', w.last_value FROM journal.wake AS w
    UNION ALL
    SELECT 'jobs', w.last_value FROM journal.job_wake AS w
    UNION ALL
    SELECT 'chronicle', t.size FROM journal.tree AS t
$$;

COMMENT ON FUNCTION azora.generations() IS 'Every generation as it stands';

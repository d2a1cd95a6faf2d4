-- Drops every function, in the transaction that makes all of them again.
-- CASCADE takes the triggers, which the functions' files make again too.

DO $$
DECLARE
    routine  record;
BEGIN
    FOR routine IN
        SELECT p.oid::regprocedure AS name
        FROM pg_proc AS p
             JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname IN ('azora', 'journal', 'identity', 'learning',
                            'ledger', 'market', 'court')
    LOOP
        EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', routine.name);
    END LOOP;
END
$$;

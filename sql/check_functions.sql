-- After all functions are re-created: those that no file makes any more go,
-- and the bodies of the others are checked, now that all they call exists.

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
          AND p.xmin::text::bigint <> txid_current() & 4294967295
    LOOP
        EXECUTE format('DROP ROUTINE %s', routine.name);
    END LOOP;
END
$$;

SET LOCAL check_function_bodies = on;

DO $$
DECLARE
    routine  record;
BEGIN
    FOR routine IN
        SELECT p.oid, p.oid::regprocedure AS name, l.lanname AS language
        FROM pg_proc AS p
             JOIN pg_namespace AS n ON n.oid = p.pronamespace
             JOIN pg_language AS l ON l.oid = p.prolang
        WHERE n.nspname IN ('azora', 'journal', 'identity', 'learning',
                            'ledger', 'market', 'court')
          AND p.prokind = 'f'
    LOOP
        BEGIN
            CASE routine.language
            WHEN 'sql' THEN
                PERFORM fmgr_sql_validator(routine.oid);
            WHEN 'plpgsql' THEN
                PERFORM plpgsql_validator(routine.oid);
            END CASE;
        EXCEPTION
            WHEN OTHERS THEN
                RAISE EXCEPTION '%: %', routine.name, SQLERRM;
        END;
    END LOOP;
END
$$;

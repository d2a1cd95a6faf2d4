-- The schema goes with its tables, its types and the functions in it.

BEGIN;

DROP SCHEMA azora CASCADE;

ALTER DEFAULT PRIVILEGES FOR ROLE azora_owner
    GRANT EXECUTE ON FUNCTIONS TO PUBLIC;

COMMIT;

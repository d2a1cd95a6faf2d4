-- The schema goes with its tables, its types and the functions in it.

BEGIN;

DROP SCHEMA market CASCADE;

COMMIT;

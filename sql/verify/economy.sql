BEGIN;

-- no_snapshot took its table away again
SELECT 1;

ROLLBACK;

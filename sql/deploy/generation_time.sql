-- Numbers of generations do not come again behind a restored backup.

BEGIN;

SET LOCAL ROLE azora_owner;

COMMENT ON COLUMN azora.generation.value IS
    'Rises with each bump: Unix time in milliseconds, or one more than before';

COMMIT;

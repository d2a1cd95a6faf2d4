BEGIN;

SET LOCAL ROLE azora_owner;

COMMENT ON COLUMN azora.generation.value IS 'How often it was bumped';

COMMIT;

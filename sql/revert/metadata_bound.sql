BEGIN;

SET LOCAL ROLE azora_owner;

ALTER TABLE ledger.metadata
    DROP CONSTRAINT metadata_size,
    ADD CONSTRAINT metadata_size
        CHECK (octet_length(body::text) <= 16384) NOT VALID;

COMMIT;

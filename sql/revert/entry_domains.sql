BEGIN;

ALTER TABLE journal.payload
    ALTER COLUMN salt TYPE bytea,
    ADD CONSTRAINT payload_salt_length CHECK (octet_length(salt) = 32);

ALTER TABLE journal.entry
    ALTER COLUMN type TYPE text,
    ALTER COLUMN payload_hash TYPE bytea,
    ADD CONSTRAINT entry_type_length CHECK (length(type) BETWEEN 3 AND 64),
    ADD CONSTRAINT entry_seq_positive CHECK (seq >= 0),
    ADD CONSTRAINT entry_payload_hash_length
        CHECK (octet_length(payload_hash) = 32);

DROP DOMAIN journal.event_type;
DROP DOMAIN journal.digest;

COMMIT;

-- What an entry's values must be is said by their types. PostgreSQL reads the
-- text of a table's CHECK constraints again for every statement that writes to
-- it, which was a fifth of what an entry cost; a domain's it keeps. A number
-- needs no check: it is counted from journal.tree.size, which has one.

BEGIN;

SET LOCAL ROLE azora_owner;

CREATE DOMAIN journal.event_type AS text;
CREATE DOMAIN journal.digest AS bytea;

ALTER TABLE journal.entry
    DROP CONSTRAINT entry_type_length,
    DROP CONSTRAINT entry_seq_positive,
    DROP CONSTRAINT entry_payload_hash_length,
    ALTER COLUMN type TYPE journal.event_type,
    ALTER COLUMN payload_hash TYPE journal.digest;

ALTER TABLE journal.payload
    DROP CONSTRAINT payload_salt_length,
    ALTER COLUMN salt TYPE journal.digest;

-- After the columns have the types, or both tables would be written anew; not
-- validated, because the rows that are there passed the checks that go.
ALTER DOMAIN journal.event_type
    ADD CONSTRAINT event_type_length CHECK (length(VALUE) BETWEEN 3 AND 64)
    NOT VALID;
ALTER DOMAIN journal.digest
    ADD CONSTRAINT digest_length CHECK (octet_length(VALUE) = 32) NOT VALID;

COMMENT ON DOMAIN journal.event_type IS 'Kind of event, dotted';
COMMENT ON DOMAIN journal.digest IS 'The bytes of a SHA-256';

COMMIT;

-- The public log over the journal's entries: how far it is numbered and signed.

BEGIN;

SET LOCAL ROLE azora_owner;

-- What waits for a number; every append pays for it, every pick needs it.
CREATE INDEX entry_waiting ON journal.entry (id) WHERE seq IS NULL;

-- A person's own entries, and what is erased with the person.
CREATE INDEX payload_subject ON journal.payload (subject, entry);

CREATE TABLE journal.tree (
    one          boolean     NOT NULL DEFAULT true,
    size         bigint      NOT NULL DEFAULT 0,
    checkpoint   text,
    leader       uuid,
    lease_until  timestamptz NOT NULL DEFAULT '-infinity',
    signed_at    timestamptz,
    CONSTRAINT tree_pkey PRIMARY KEY (one),
    CONSTRAINT tree_is_one CHECK (one),
    CONSTRAINT tree_size_positive CHECK (size >= 0),
    CONSTRAINT tree_checkpoint_of_size
        CHECK ((size = 0) = (checkpoint IS NULL))
);

INSERT INTO journal.tree DEFAULT VALUES;

COMMENT ON TABLE journal.tree IS 'The log as it was last signed: one row';
COMMENT ON COLUMN journal.tree.one IS 'There is one log';
COMMENT ON COLUMN journal.tree.size IS
    'Entries with a number; the fence of the sequencers';
COMMENT ON COLUMN journal.tree.checkpoint IS
    'Signed note over this size, as it is published';
COMMENT ON COLUMN journal.tree.leader IS
    'Process that numbers entries until its lease ends';
COMMENT ON COLUMN journal.tree.lease_until IS
    'Renewed at each pick; another may lead afterwards';
COMMENT ON COLUMN journal.tree.signed_at IS 'Time of the checkpoint';

COMMIT;

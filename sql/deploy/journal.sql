-- One journal for audit and events. Entries wait with seq NULL until they are
-- given contiguous numbers; what they tell lives apart and can be erased.

BEGIN;

CREATE SCHEMA journal AUTHORIZATION azora_owner;

COMMENT ON SCHEMA journal IS 'What happened, and who still has to hear of it';

SET LOCAL ROLE azora_owner;

CREATE TABLE journal.entry (
    id            uuid        NOT NULL,
    seq           bigint,
    type          text        NOT NULL,
    at            timestamptz NOT NULL,
    payload_hash  bytea       NOT NULL,
    CONSTRAINT entry_pkey PRIMARY KEY (id),
    CONSTRAINT entry_type_length CHECK (length(type) BETWEEN 3 AND 64),
    CONSTRAINT entry_seq_positive CHECK (seq >= 0),
    CONSTRAINT entry_payload_hash_length
        CHECK (octet_length(payload_hash) = 32)
);

-- Partial, so that appending an entry touches one index and not two.
CREATE UNIQUE INDEX entry_seq ON journal.entry (seq) WHERE seq IS NOT NULL;

COMMENT ON TABLE journal.entry IS
    'The public, provable half of an event; no personal data';
COMMENT ON COLUMN journal.entry.id IS 'UUIDv7 of the entry';
COMMENT ON COLUMN journal.entry.seq IS
    'Place in the log, contiguous from 0; NULL until sequenced';
COMMENT ON COLUMN journal.entry.type IS 'Kind of event, dotted';
COMMENT ON COLUMN journal.entry.at IS
    'When it happened, to the minute: coarse, since entries are public';
COMMENT ON COLUMN journal.entry.payload_hash IS
    'SHA-256 of the salt followed by the bytes of the body';

CREATE TABLE journal.payload (
    entry        uuid        NOT NULL,
    salt         bytea       NOT NULL,
    body         json        NOT NULL,
    subject      uuid,
    traceparent  text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payload_pkey PRIMARY KEY (entry),
    CONSTRAINT payload_salt_length CHECK (octet_length(salt) = 32)
);

COMMENT ON TABLE journal.payload IS
    'The erasable half of an event. No foreign key to the entry: a check per '
    'row would cost more than the row, and both are written by one function';
COMMENT ON COLUMN journal.payload.entry IS 'Entry this belongs to';
COMMENT ON COLUMN journal.payload.salt IS
    'Random, so that an erased body cannot be guessed from its hash';
COMMENT ON COLUMN journal.payload.body IS
    'What happened, kept as the very bytes that were hashed';
COMMENT ON COLUMN journal.payload.subject IS
    'Account the event is about, for erasure';
COMMENT ON COLUMN journal.payload.traceparent IS
    'W3C trace context of the request';
COMMENT ON COLUMN journal.payload.created_at IS 'When it happened, exactly';

CREATE TABLE journal.subscription (
    consumer  text NOT NULL,
    type      text NOT NULL,
    CONSTRAINT subscription_pkey PRIMARY KEY (type, consumer)
);

COMMENT ON TABLE journal.subscription IS
    'Which consumer waits for which type of event';
COMMENT ON COLUMN journal.subscription.consumer IS 'Name of the consumer';
COMMENT ON COLUMN journal.subscription.type IS 'Type of event it waits for';

CREATE TABLE journal.delivery (
    consumer    text        NOT NULL,
    entry       uuid        NOT NULL,
    state       text        NOT NULL DEFAULT 'waiting',
    failures    int         NOT NULL DEFAULT 0,
    not_before  timestamptz NOT NULL DEFAULT now(),
    last_error  text,
    CONSTRAINT delivery_pkey PRIMARY KEY (consumer, entry),
    CONSTRAINT delivery_entry_fkey
        FOREIGN KEY (entry) REFERENCES journal.entry (id),
    CONSTRAINT delivery_state CHECK (state IN ('waiting', 'dead')),
    CONSTRAINT delivery_failures_range CHECK (failures BETWEEN 0 AND 3)
);

CREATE INDEX delivery_entry ON journal.delivery (entry);
CREATE INDEX delivery_due ON journal.delivery (consumer, not_before)
    WHERE state = 'waiting';

COMMENT ON TABLE journal.delivery IS
    'Events a consumer has not handled yet; the row goes when it has';
COMMENT ON COLUMN journal.delivery.consumer IS 'Who has to handle it';
COMMENT ON COLUMN journal.delivery.entry IS 'What has to be handled';
COMMENT ON COLUMN journal.delivery.state IS
    'waiting, or dead after three failures';
COMMENT ON COLUMN journal.delivery.failures IS 'Failures so far';
COMMENT ON COLUMN journal.delivery.not_before IS 'Time of the next attempt';
COMMENT ON COLUMN journal.delivery.last_error IS 'What the last failure said';

CREATE TABLE journal.inbox (
    consumer    text        NOT NULL,
    entry       uuid        NOT NULL,
    handled_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT inbox_pkey PRIMARY KEY (consumer, entry),
    CONSTRAINT inbox_entry_fkey
        FOREIGN KEY (entry) REFERENCES journal.entry (id)
);

CREATE INDEX inbox_entry ON journal.inbox (entry);

COMMENT ON TABLE journal.inbox IS
    'Events a consumer has handled, written with their effect: never twice';
COMMENT ON COLUMN journal.inbox.consumer IS 'Who handled it';
COMMENT ON COLUMN journal.inbox.entry IS 'What was handled';
COMMENT ON COLUMN journal.inbox.handled_at IS 'When';

-- A sequence and not a row of azora.generation: a row would be locked by every
-- writer until its commit.
CREATE SEQUENCE journal.wake;

COMMENT ON SEQUENCE journal.wake IS 'The generation named journal';

COMMIT;

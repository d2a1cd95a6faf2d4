-- Where events are sent to, and what became of each of them.

BEGIN;

SET LOCAL ROLE azora_owner;

CREATE TABLE journal.webhook (
    id               uuid        NOT NULL,
    account          uuid        NOT NULL,
    url              text        NOT NULL,
    types            text[]      NOT NULL DEFAULT '{}',
    everybody        boolean     NOT NULL DEFAULT false,
    description      text,
    active           boolean     NOT NULL DEFAULT true,
    reason           text,
    key              text        NOT NULL,
    version          int         NOT NULL DEFAULT 1,
    old_key          text,
    old_until        timestamptz,
    since            bigint      NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhook_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_url_length CHECK (length(url) BETWEEN 8 AND 2048),
    CONSTRAINT webhook_types_bounded CHECK (cardinality(types) <= 32),
    CONSTRAINT webhook_of_everybody_has_types
        CHECK (NOT everybody OR cardinality(types) > 0),
    CONSTRAINT webhook_reason
        CHECK (reason IN ('paused', 'gone', 'overflow')),
    CONSTRAINT webhook_reason_of_inactive
        CHECK (active = (reason IS NULL)),
    CONSTRAINT webhook_old_whole
        CHECK ((old_key IS NULL) = (old_until IS NULL))
);

CREATE INDEX webhook_account ON journal.webhook (account, id);
CREATE INDEX webhook_everybody ON journal.webhook (id)
    WHERE everybody AND active;

COMMENT ON TABLE journal.webhook IS
    'Addresses that are told of events; no secret is kept here';
COMMENT ON COLUMN journal.webhook.id IS 'UUIDv7';
COMMENT ON COLUMN journal.webhook.account IS 'Whose it is';
COMMENT ON COLUMN journal.webhook.url IS 'Where it is sent to';
COMMENT ON COLUMN journal.webhook.types IS 'Which events; empty: all';
COMMENT ON COLUMN journal.webhook.everybody IS
    'Events about anybody and not the account alone, for services';
COMMENT ON COLUMN journal.webhook.description IS 'The owner''s own words';
COMMENT ON COLUMN journal.webhook.active IS 'Whether anything is sent';
COMMENT ON COLUMN journal.webhook.reason IS 'Why not';
COMMENT ON COLUMN journal.webhook.key IS
    'Which of the server''s keys makes its secret';
COMMENT ON COLUMN journal.webhook.version IS
    'Counts its secrets: the key, the id and this make it';
COMMENT ON COLUMN journal.webhook.old_key IS
    'The key of the secret before this one';
COMMENT ON COLUMN journal.webhook.old_until IS
    'Until when that one signs as well';
COMMENT ON COLUMN journal.webhook.since IS 'First number it is told of';
COMMENT ON COLUMN journal.webhook.created_at IS 'Since when there is one';

CREATE TABLE journal.webhook_delivery (
    webhook       uuid        NOT NULL,
    entry         uuid        NOT NULL,
    seq           bigint      NOT NULL,
    state         text        NOT NULL DEFAULT 'pending',
    job           uuid,
    attempts      int         NOT NULL DEFAULT 0,
    history       jsonb       NOT NULL DEFAULT '[]',
    created_at    timestamptz NOT NULL DEFAULT now(),
    delivered_at  timestamptz,
    CONSTRAINT webhook_delivery_pkey PRIMARY KEY (webhook, seq),
    CONSTRAINT webhook_delivery_entry_once UNIQUE (webhook, entry),
    CONSTRAINT webhook_delivery_webhook_fkey FOREIGN KEY (webhook)
        REFERENCES journal.webhook (id) ON DELETE CASCADE,
    CONSTRAINT webhook_delivery_entry_fkey FOREIGN KEY (entry)
        REFERENCES journal.entry (id),
    CONSTRAINT webhook_delivery_state
        CHECK (state IN ('pending', 'delivered', 'failed', 'erased')),
    CONSTRAINT webhook_delivery_job_of_open
        CHECK ((job IS NOT NULL) = (state IN ('pending', 'failed')))
);

CREATE INDEX webhook_delivery_entry ON journal.webhook_delivery (entry);
CREATE INDEX webhook_delivery_job ON journal.webhook_delivery (job)
    WHERE job IS NOT NULL;
CREATE INDEX webhook_delivery_old ON journal.webhook_delivery (created_at);

COMMENT ON TABLE journal.webhook_delivery IS
    'Events on their way to an address, and what became of them';
COMMENT ON COLUMN journal.webhook_delivery.webhook IS 'Where to';
COMMENT ON COLUMN journal.webhook_delivery.entry IS 'The event';
COMMENT ON COLUMN journal.webhook_delivery.seq IS 'Its number';
COMMENT ON COLUMN journal.webhook_delivery.state IS
    'pending, delivered, failed for good, erased before it was sent';
COMMENT ON COLUMN journal.webhook_delivery.job IS
    'The job that sends it, while there is one';
COMMENT ON COLUMN journal.webhook_delivery.attempts IS 'Attempts so far';
COMMENT ON COLUMN journal.webhook_delivery.history IS
    'The last twenty of them: when, what became of it, status, duration';
COMMENT ON COLUMN journal.webhook_delivery.created_at IS
    'When it was put on its way';
COMMENT ON COLUMN journal.webhook_delivery.delivered_at IS
    'When the address took it';

CREATE TABLE journal.webhook_place (
    one  boolean NOT NULL DEFAULT true,
    seq  bigint  NOT NULL,
    CONSTRAINT webhook_place_pkey PRIMARY KEY (one),
    CONSTRAINT webhook_place_is_one CHECK (one)
);

INSERT INTO journal.webhook_place (seq) SELECT t.size FROM journal.tree AS t;

COMMENT ON TABLE journal.webhook_place IS
    'How far the log was handed to webhooks: one row';
COMMENT ON COLUMN journal.webhook_place.one IS 'There is one log';
COMMENT ON COLUMN journal.webhook_place.seq IS 'The next number';

COMMIT;

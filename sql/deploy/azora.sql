-- Shared types and the tables that every capability leans on.

BEGIN;

CREATE SCHEMA azora AUTHORIZATION azora_owner;

COMMENT ON SCHEMA azora IS
    'Shared types and helpers: callers, replies, idempotency, generations';

SET LOCAL ROLE azora_owner;

-- A function is nobody's until the grants at the end of a deploy name it.
ALTER DEFAULT PRIVILEGES FOR ROLE azora_owner
    REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

CREATE TYPE azora.caller AS (
    subject          uuid,
    session          uuid,
    roles            text[],
    request_id       text,
    traceparent      text,
    address          text,
    route            text,
    idempotency_key  text,
    payload_hash     text
);

COMMENT ON TYPE azora.caller IS
    'Who asks, and how: made by NGINX, first argument of every endpoint';
COMMENT ON COLUMN azora.caller.subject IS
    'Account of the caller, NULL when anonymous';
COMMENT ON COLUMN azora.caller.session IS 'Session of the access token';
COMMENT ON COLUMN azora.caller.roles IS 'Roles in the access token';
COMMENT ON COLUMN azora.caller.request_id IS 'Identifier of the request';
COMMENT ON COLUMN azora.caller.traceparent IS 'W3C trace context';
COMMENT ON COLUMN azora.caller.address IS
    'Address of the client, write functions only';
COMMENT ON COLUMN azora.caller.route IS
    'Method and path template, write functions only';
COMMENT ON COLUMN azora.caller.idempotency_key IS
    'Idempotency-Key of the request, NULL when it carried none';
COMMENT ON COLUMN azora.caller.payload_hash IS
    'Hex SHA-256 of path parameters and body, with a key only';

CREATE TYPE azora.reply AS (
    status    int,
    body      json,
    etag      text,
    location  text
);

COMMENT ON TYPE azora.reply IS 'What an endpoint answers';
COMMENT ON COLUMN azora.reply.status IS 'HTTP status';
COMMENT ON COLUMN azora.reply.body IS
    'Document, or {"problem","detail","pointer"} from 400 on';
COMMENT ON COLUMN azora.reply.etag IS 'Entity tag with its quotes, or NULL';
COMMENT ON COLUMN azora.reply.location IS 'Path of what was made, or NULL';

CREATE TYPE azora.batch_reply AS (
    ordinal   int,
    status    int,
    body      json,
    etag      text,
    location  text,
    problem   text,
    detail    text,
    pointer   text
);

COMMENT ON TYPE azora.batch_reply IS
    'What one item of a batch gets; either body or problem is set';
COMMENT ON COLUMN azora.batch_reply.ordinal IS
    'Place of the item in the arrays, from 1';
COMMENT ON COLUMN azora.batch_reply.status IS 'HTTP status of the item';
COMMENT ON COLUMN azora.batch_reply.body IS 'Document of an accepted item';
COMMENT ON COLUMN azora.batch_reply.etag IS
    'Entity tag with its quotes, or NULL';
COMMENT ON COLUMN azora.batch_reply.location IS 'Path of what was made';
COMMENT ON COLUMN azora.batch_reply.problem IS 'Name of the problem';
COMMENT ON COLUMN azora.batch_reply.detail IS 'Sentence for a person';
COMMENT ON COLUMN azora.batch_reply.pointer IS
    'JSON pointer of the wrong field, or NULL';

CREATE TABLE azora.idempotency (
    subject       uuid        NOT NULL,
    route         text        NOT NULL,
    key           text        NOT NULL,
    payload_hash  text        NOT NULL,
    status        int,
    body          json,
    etag          text,
    location      text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_pkey PRIMARY KEY (subject, route, key),
    CONSTRAINT idempotency_key_length
        CHECK (length(key) BETWEEN 1 AND 255),
    CONSTRAINT idempotency_status_range
        CHECK (status BETWEEN 100 AND 599)
) WITH (fillfactor = 70);

-- The purge walks from the oldest key.
CREATE INDEX idempotency_created_at ON azora.idempotency (created_at);

COMMENT ON TABLE azora.idempotency IS
    'Answers already given, by Idempotency-Key; written with their effects';
COMMENT ON COLUMN azora.idempotency.subject IS
    'Account of the caller; all zeros for an anonymous one';
COMMENT ON COLUMN azora.idempotency.route IS 'Method and path template';
COMMENT ON COLUMN azora.idempotency.key IS 'Idempotency-Key as sent';
COMMENT ON COLUMN azora.idempotency.payload_hash IS
    'What the key was first used for; another payload is refused';
COMMENT ON COLUMN azora.idempotency.status IS
    'Status that was answered; NULL only inside the first transaction';
COMMENT ON COLUMN azora.idempotency.body IS 'Document that was answered';
COMMENT ON COLUMN azora.idempotency.etag IS 'Entity tag that was answered';
COMMENT ON COLUMN azora.idempotency.location IS
    'Location that was answered';
COMMENT ON COLUMN azora.idempotency.created_at IS
    'First use; keys are purged a day later at the earliest';

CREATE TABLE azora.generation (
    name   text   NOT NULL,
    value  bigint NOT NULL DEFAULT 0,
    CONSTRAINT generation_pkey PRIMARY KEY (name),
    CONSTRAINT generation_name_form
        CHECK (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
    CONSTRAINT generation_value_positive CHECK (value >= 0)
);

COMMENT ON TABLE azora.generation IS
    'Named versions: a cached answer is good while its number stands';
COMMENT ON COLUMN azora.generation.name IS 'What the number counts';
COMMENT ON COLUMN azora.generation.value IS 'How often it was bumped';

CREATE TABLE azora.deployment (
    part         text        NOT NULL,
    digest       text        NOT NULL,
    deployed_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT deployment_pkey PRIMARY KEY (part)
);

COMMENT ON TABLE azora.deployment IS
    'What the last deploy loaded, so that an unchanged seed is skipped';
COMMENT ON COLUMN azora.deployment.part IS 'Part of the deployment';
COMMENT ON COLUMN azora.deployment.digest IS 'SHA-256 of its files';
COMMENT ON COLUMN azora.deployment.deployed_at IS 'When it was loaded';

COMMIT;

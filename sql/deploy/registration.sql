-- Accounts that wait for their address to be proved.

BEGIN;

SET LOCAL ROLE azora_owner;

CREATE TABLE identity.registration (
    id          uuid        NOT NULL,
    email       text        NOT NULL,
    name        text        NOT NULL,
    password    text,
    hash        bytea,
    created_at  timestamptz NOT NULL DEFAULT now(),
    mailed_at   timestamptz,
    CONSTRAINT registration_pkey PRIMARY KEY (id),
    CONSTRAINT registration_hash_key UNIQUE (hash),
    CONSTRAINT registration_hash_length CHECK (octet_length(hash) = 32)
);

CREATE INDEX registration_email ON identity.registration (email, created_at);
CREATE INDEX registration_created_at ON identity.registration (created_at);

COMMENT ON TABLE identity.registration IS
    'Who wants an account and has not proved the address yet';
COMMENT ON COLUMN identity.registration.id IS 'UUIDv7';
COMMENT ON COLUMN identity.registration.email IS 'In lower case';
COMMENT ON COLUMN identity.registration.name IS 'That of the account';
COMMENT ON COLUMN identity.registration.password IS
    'That of the account, as in identity.credential; NULL: the address has one';
COMMENT ON COLUMN identity.registration.hash IS
    'SHA-256 of the token, which only the mail has';
COMMENT ON COLUMN identity.registration.created_at IS
    'When it was asked for; an hour later it is over';
COMMENT ON COLUMN identity.registration.mailed_at IS
    'When something was sent to the address';

COMMIT;

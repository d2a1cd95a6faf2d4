-- Phone numbers that people proved to be theirs.

BEGIN;

SET LOCAL ROLE azora_owner;

ALTER TABLE identity.account
    ADD COLUMN phone              text,
    ADD COLUMN phone_verified_at  timestamptz,
    ADD CONSTRAINT account_phone_e164 CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    ADD CONSTRAINT account_phone_verified
        CHECK ((phone IS NULL) = (phone_verified_at IS NULL));

COMMENT ON COLUMN identity.account.phone IS
    'A number (E.164) that is the person''s; NULL: none is known';
COMMENT ON COLUMN identity.account.phone_verified_at IS
    'When the person proved that';

CREATE TABLE identity.phone_code (
    id          uuid        NOT NULL,
    account     uuid        NOT NULL,
    phone       text        NOT NULL,
    hash        bytea,
    tries       int         NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT now(),
    used_at     timestamptz,
    CONSTRAINT phone_code_pkey PRIMARY KEY (id),
    CONSTRAINT phone_code_account_fkey
        FOREIGN KEY (account) REFERENCES identity.account (id),
    CONSTRAINT phone_code_e164 CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    CONSTRAINT phone_code_hash_length CHECK (octet_length(hash) = 32),
    CONSTRAINT phone_code_tries_range CHECK (tries BETWEEN 0 AND 5)
);

CREATE INDEX phone_code_account ON identity.phone_code (account, created_at);
CREATE INDEX phone_code_phone ON identity.phone_code (phone, created_at);
CREATE INDEX phone_code_created_at ON identity.phone_code (created_at);

COMMENT ON TABLE identity.phone_code IS 'Codes that prove a phone number';
COMMENT ON COLUMN identity.phone_code.id IS 'UUIDv7';
COMMENT ON COLUMN identity.phone_code.account IS 'Who wants the number';
COMMENT ON COLUMN identity.phone_code.phone IS 'Where the code is sent';
COMMENT ON COLUMN identity.phone_code.hash IS
    'Keyed hash of the code, which only the message has; NULL: not yet sent';
COMMENT ON COLUMN identity.phone_code.tries IS 'How many codes were wrong';
COMMENT ON COLUMN identity.phone_code.created_at IS
    'When it was asked for; ten minutes later it is over';
COMMENT ON COLUMN identity.phone_code.used_at IS 'Each is used once';

COMMIT;

-- What is sent by e-mail: one-time tokens, and whose address is proved.

BEGIN;

SET LOCAL ROLE azora_owner;

ALTER TABLE identity.account
    ADD COLUMN email_verified_at  timestamptz;

COMMENT ON COLUMN identity.account.email_verified_at IS
    'When the person proved that the address is theirs; NULL: not yet';

CREATE TABLE identity.one_time_token (
    hash        bytea       NOT NULL,
    account     uuid        NOT NULL,
    purpose     text        NOT NULL,
    email       text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    CONSTRAINT one_time_token_pkey PRIMARY KEY (hash),
    CONSTRAINT one_time_token_account_fkey
        FOREIGN KEY (account) REFERENCES identity.account (id),
    CONSTRAINT one_time_token_hash_length CHECK (octet_length(hash) = 32),
    CONSTRAINT one_time_token_purpose
        CHECK (purpose IN ('email-verify', 'password-reset')),
    CONSTRAINT one_time_token_expiry CHECK (expires_at > created_at)
);

CREATE INDEX one_time_token_account
    ON identity.one_time_token (account, purpose, created_at);
CREATE INDEX one_time_token_expires_at ON identity.one_time_token (expires_at);

COMMENT ON TABLE identity.one_time_token IS 'Links in mails';
COMMENT ON COLUMN identity.one_time_token.hash IS
    'SHA-256 of the token, which only the mail has';
COMMENT ON COLUMN identity.one_time_token.account IS 'Whose it is';
COMMENT ON COLUMN identity.one_time_token.purpose IS 'What it is good for';
COMMENT ON COLUMN identity.one_time_token.email IS 'Where it was sent';
COMMENT ON COLUMN identity.one_time_token.created_at IS 'When it was sent';
COMMENT ON COLUMN identity.one_time_token.expires_at IS 'An hour later';
COMMENT ON COLUMN identity.one_time_token.used_at IS 'Each is used once';

COMMIT;

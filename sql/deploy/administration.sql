-- Handles, why an account is locked, API keys, links that set up an admin.

BEGIN;

SET LOCAL ROLE azora_owner;

ALTER TABLE identity.account
    ADD COLUMN handle       text,
    ADD COLUMN lock_reason  text,
    ADD CONSTRAINT account_handle_key UNIQUE (handle),
    ADD CONSTRAINT account_handle_form
        CHECK (handle ~ '^[a-z][a-z0-9_]{2,29}$'),
    ADD CONSTRAINT account_lock_reason
        CHECK (lock_reason IS NULL OR locked);

COMMENT ON COLUMN identity.account.handle IS
    'Short name that others may pay to; NULL when none was chosen';
COMMENT ON COLUMN identity.account.lock_reason IS
    'What the admin gave as the reason';

CREATE INDEX account_admins ON identity.account (id)
    WHERE 'admin' = ANY (roles);

CREATE TABLE identity.api_key (
    id            uuid        NOT NULL,
    account       uuid        NOT NULL,
    name          text        NOT NULL,
    hash          bytea       NOT NULL,
    scopes        text[]      NOT NULL,
    created_by    uuid        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    last_used_at  timestamptz,
    revoked_at    timestamptz,
    CONSTRAINT api_key_pkey PRIMARY KEY (id),
    CONSTRAINT api_key_account_fkey
        FOREIGN KEY (account) REFERENCES identity.account (id),
    CONSTRAINT api_key_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES identity.account (id),
    CONSTRAINT api_key_hash_key UNIQUE (hash),
    CONSTRAINT api_key_hash_length CHECK (octet_length(hash) = 32),
    CONSTRAINT api_key_name_length CHECK (length(name) BETWEEN 1 AND 100),
    CONSTRAINT api_key_expiry CHECK (expires_at > created_at)
);

CREATE INDEX api_key_account ON identity.api_key (account, id);
CREATE INDEX api_key_created_by ON identity.api_key (created_by);

COMMENT ON TABLE identity.api_key IS 'How a service proves itself';
COMMENT ON COLUMN identity.api_key.id IS
    'UUIDv7; takes the place of a session';
COMMENT ON COLUMN identity.api_key.account IS 'The service';
COMMENT ON COLUMN identity.api_key.name IS 'What it is for';
COMMENT ON COLUMN identity.api_key.hash IS 'SHA-256 of the key';
COMMENT ON COLUMN identity.api_key.scopes IS
    'What it may do: at most what the service''s roles give';
COMMENT ON COLUMN identity.api_key.created_by IS 'The admin who made it';
COMMENT ON COLUMN identity.api_key.created_at IS 'When';
COMMENT ON COLUMN identity.api_key.expires_at IS 'Good until then';
COMMENT ON COLUMN identity.api_key.last_used_at IS
    'Last time a node asked about it, which it does every few minutes';
COMMENT ON COLUMN identity.api_key.revoked_at IS 'When it was taken back';

CREATE TABLE identity.setup_link (
    hash        bytea       NOT NULL,
    email       text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    CONSTRAINT setup_link_pkey PRIMARY KEY (hash),
    CONSTRAINT setup_link_hash_length CHECK (octet_length(hash) = 32),
    CONSTRAINT setup_link_email_normal CHECK (email = lower(email))
);

COMMENT ON TABLE identity.setup_link IS
    'Makes whoever brings the token an admin, once; made on the server only';
COMMENT ON COLUMN identity.setup_link.hash IS 'SHA-256 of the token';
COMMENT ON COLUMN identity.setup_link.email IS 'Address of the admin';
COMMENT ON COLUMN identity.setup_link.created_at IS 'When it was printed';
COMMENT ON COLUMN identity.setup_link.expires_at IS 'An hour later';
COMMENT ON COLUMN identity.setup_link.used_at IS 'When it was redeemed';

COMMIT;

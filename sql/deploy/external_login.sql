-- Who somebody is at an OpenID provider.

BEGIN;

SET LOCAL ROLE azora_owner;

CREATE TABLE identity.external_login (
    issuer      text        NOT NULL,
    subject     text        NOT NULL,
    account     uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT external_login_pkey PRIMARY KEY (issuer, subject),
    CONSTRAINT external_login_account_fkey
        FOREIGN KEY (account) REFERENCES identity.account (id),
    CONSTRAINT external_login_lengths
        CHECK (length(issuer) <= 256 AND length(subject) <= 255)
);

CREATE INDEX external_login_account ON identity.external_login (account);

COMMENT ON TABLE identity.external_login IS
    'Accounts by what they are at OpenID providers';
COMMENT ON COLUMN identity.external_login.issuer IS
    'The provider, as its ID tokens name it';
COMMENT ON COLUMN identity.external_login.subject IS
    'The person there, for ever: addresses change owners';
COMMENT ON COLUMN identity.external_login.account IS 'The account here';
COMMENT ON COLUMN identity.external_login.created_at IS 'Since when';

COMMIT;

-- Who is who: accounts, credentials, sessions, failed logins.

BEGIN;

CREATE SCHEMA identity AUTHORIZATION azora_owner;

COMMENT ON SCHEMA identity IS 'Accounts, credentials and sessions';

SET LOCAL ROLE azora_owner;

CREATE TABLE identity.account (
    id          uuid        NOT NULL,
    email       text,
    name        text        NOT NULL,
    roles       text[]      NOT NULL DEFAULT '{learner}',
    locked      boolean     NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    erased_at   timestamptz,
    CONSTRAINT account_pkey PRIMARY KEY (id),
    CONSTRAINT account_email_key UNIQUE (email),
    CONSTRAINT account_email_normal
        CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
    CONSTRAINT account_email_kept
        CHECK ((email IS NULL) = (erased_at IS NOT NULL)),
    CONSTRAINT account_name_length CHECK (length(name) BETWEEN 1 AND 100),
    CONSTRAINT account_roles_known CHECK (
        roles <@ ARRAY['learner', 'teacher', 'guardian', 'employer',
                       'arbiter', 'auditor', 'admin', 'service']
        AND cardinality(roles) > 0)
);

COMMENT ON TABLE identity.account IS 'A person or a service';
COMMENT ON COLUMN identity.account.id IS 'UUIDv7';
COMMENT ON COLUMN identity.account.email IS
    'Address in lower case; NULL once erased';
COMMENT ON COLUMN identity.account.name IS 'Name to show';
COMMENT ON COLUMN identity.account.roles IS 'What the account may be';
COMMENT ON COLUMN identity.account.locked IS 'An admin forbade logging in';
COMMENT ON COLUMN identity.account.created_at IS 'Time of registration';
COMMENT ON COLUMN identity.account.erased_at IS
    'When the person asked to be forgotten';

CREATE TABLE identity.credential (
    account     uuid        NOT NULL,
    password    text        NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT credential_pkey PRIMARY KEY (account),
    CONSTRAINT credential_account_fkey
        FOREIGN KEY (account) REFERENCES identity.account (id),
    CONSTRAINT credential_password_form CHECK (password LIKE '%$argon2id$%')
);

COMMENT ON TABLE identity.credential IS 'How an account proves itself';
COMMENT ON COLUMN identity.credential.account IS 'Account it belongs to';
COMMENT ON COLUMN identity.credential.password IS
    'Argon2id hash as a PHC string, with the identifier of its pepper before';
COMMENT ON COLUMN identity.credential.changed_at IS
    'Last change of password or parameters';

CREATE TABLE identity.login_failure (
    principal      bytea       NOT NULL,
    address        text        NOT NULL DEFAULT '',
    failures       int         NOT NULL DEFAULT 0,
    last_at        timestamptz NOT NULL DEFAULT now(),
    blocked_until  timestamptz,
    CONSTRAINT login_failure_pkey PRIMARY KEY (principal, address),
    CONSTRAINT login_failure_principal_length
        CHECK (octet_length(principal) = 32),
    CONSTRAINT login_failure_count_positive CHECK (failures >= 0)
) WITH (fillfactor = 70);

CREATE INDEX login_failure_last_at ON identity.login_failure (last_at);

COMMENT ON TABLE identity.login_failure IS
    'Failed logins since the last good one, known and unknown accounts alike';
COMMENT ON COLUMN identity.login_failure.principal IS
    'SHA-256 of the e-mail address: unknown ones are not worth storing';
COMMENT ON COLUMN identity.login_failure.address IS
    'Address of the client; empty for the count over all addresses';
COMMENT ON COLUMN identity.login_failure.failures IS 'Failures in a row';
COMMENT ON COLUMN identity.login_failure.last_at IS 'Time of the last one';
COMMENT ON COLUMN identity.login_failure.blocked_until IS
    'No attempt counts before; NULL under five failures';

CREATE TABLE identity.session (
    id              uuid        NOT NULL,
    account         uuid        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_seen_at    timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    revoked_at      timestamptz,
    address_prefix  text,
    agent           text,
    CONSTRAINT session_pkey PRIMARY KEY (id),
    CONSTRAINT session_account_fkey
        FOREIGN KEY (account) REFERENCES identity.account (id),
    CONSTRAINT session_expiry CHECK (expires_at > created_at)
);

CREATE INDEX session_account ON identity.session (account);
CREATE INDEX session_expires_at ON identity.session (expires_at);

COMMENT ON TABLE identity.session IS 'A login that still holds';
COMMENT ON COLUMN identity.session.id IS 'UUIDv7, the sid of its tokens';
COMMENT ON COLUMN identity.session.account IS 'Who logged in';
COMMENT ON COLUMN identity.session.created_at IS 'Time of the login';
COMMENT ON COLUMN identity.session.last_seen_at IS 'Last known use';
COMMENT ON COLUMN identity.session.expires_at IS 'Absolute end';
COMMENT ON COLUMN identity.session.revoked_at IS 'When it was ended early';
COMMENT ON COLUMN identity.session.address_prefix IS
    'Network of the client, /24 or /48: enough to recognise, not to follow';
COMMENT ON COLUMN identity.session.agent IS 'What the client calls itself';

CREATE TABLE identity.epoch (
    account  uuid   NOT NULL,
    value    bigint NOT NULL DEFAULT 0,
    CONSTRAINT epoch_pkey PRIMARY KEY (account),
    CONSTRAINT epoch_account_fkey
        FOREIGN KEY (account) REFERENCES identity.account (id),
    CONSTRAINT epoch_value_positive CHECK (value >= 0)
);

COMMENT ON TABLE identity.epoch IS
    'Raised to end every session of an account at once';
COMMENT ON COLUMN identity.epoch.account IS 'Account';
COMMENT ON COLUMN identity.epoch.value IS
    'Tokens of a lower epoch are refused';

-- Moves when a session ends early: nodes forget the tokens they have verified.
INSERT INTO azora.generation (name, value) VALUES ('sessions', 1)
ON CONFLICT ON CONSTRAINT generation_pkey DO NOTHING;

COMMIT;

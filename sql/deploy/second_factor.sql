-- The second factor: one-time secrets, recovery codes, and logins that wait
-- for one of them.

BEGIN;

SET LOCAL ROLE azora_owner;

ALTER TABLE identity.session
    ADD COLUMN acr  text    NOT NULL DEFAULT '1',
    ADD COLUMN amr  text[]  NOT NULL DEFAULT '{pwd}',
    ADD CONSTRAINT session_acr CHECK (acr IN ('1', '2'));

COMMENT ON COLUMN identity.session.acr IS
    'How surely the person was recognised: by 1 or 2 factors';
COMMENT ON COLUMN identity.session.amr IS 'By what, in the words of RFC 8176';

CREATE TABLE identity.totp (
    account       uuid        NOT NULL,
    sealed        text        NOT NULL,
    last_step     bigint      NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    confirmed_at  timestamptz,
    CONSTRAINT totp_pkey PRIMARY KEY (account),
    CONSTRAINT totp_account_fkey
        FOREIGN KEY (account) REFERENCES identity.account (id),
    CONSTRAINT totp_sealed_form CHECK (sealed LIKE '$azs$%'),
    CONSTRAINT totp_last_step_positive CHECK (last_step >= 0)
);

COMMENT ON TABLE identity.totp IS 'The authenticator of an account';
COMMENT ON COLUMN identity.totp.account IS 'Account it belongs to';
COMMENT ON COLUMN identity.totp.sealed IS
    'Its secret, encrypted under a key that is not in the database';
COMMENT ON COLUMN identity.totp.last_step IS
    'Time step of the last code that was taken: only later ones are';
COMMENT ON COLUMN identity.totp.created_at IS 'When the secret was made';
COMMENT ON COLUMN identity.totp.confirmed_at IS
    'When a first code proved that the person has it; NULL: not yet in force';

CREATE TABLE identity.recovery_code (
    account  uuid        NOT NULL,
    hash     bytea       NOT NULL,
    used_at  timestamptz,
    CONSTRAINT recovery_code_pkey PRIMARY KEY (account, hash),
    CONSTRAINT recovery_code_account_fkey
        FOREIGN KEY (account) REFERENCES identity.account (id),
    CONSTRAINT recovery_code_hash_length CHECK (octet_length(hash) = 32)
);

COMMENT ON TABLE identity.recovery_code IS
    'What opens an account once when the authenticator is lost';
COMMENT ON COLUMN identity.recovery_code.account IS 'Account it belongs to';
COMMENT ON COLUMN identity.recovery_code.hash IS
    'SHA-256 of the code, which has 115 random bits';
COMMENT ON COLUMN identity.recovery_code.used_at IS 'NULL: still good';

CREATE TABLE identity.challenge (
    hash        bytea       NOT NULL,
    account     uuid        NOT NULL,
    amr         text[]      NOT NULL DEFAULT '{pwd}',
    tries       int         NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    CONSTRAINT challenge_pkey PRIMARY KEY (hash),
    CONSTRAINT challenge_account_fkey
        FOREIGN KEY (account) REFERENCES identity.account (id),
    CONSTRAINT challenge_hash_length CHECK (octet_length(hash) = 32),
    CONSTRAINT challenge_tries CHECK (tries BETWEEN 0 AND 5),
    CONSTRAINT challenge_expiry CHECK (expires_at > created_at)
);

CREATE INDEX challenge_account ON identity.challenge (account);
CREATE INDEX challenge_expires_at ON identity.challenge (expires_at);

COMMENT ON TABLE identity.challenge IS
    'Logins that proved the first factor and wait for the second';
COMMENT ON COLUMN identity.challenge.hash IS
    'SHA-256 of the token that the client has';
COMMENT ON COLUMN identity.challenge.account IS 'Who logs in';
COMMENT ON COLUMN identity.challenge.amr IS 'How the first factor was proved';
COMMENT ON COLUMN identity.challenge.tries IS 'Codes that were tried';
COMMENT ON COLUMN identity.challenge.created_at IS 'Time of the first factor';
COMMENT ON COLUMN identity.challenge.expires_at IS 'Five minutes later';

COMMIT;

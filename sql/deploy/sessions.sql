-- Sessions that can be ended at once, and the tokens that prolong them.

BEGIN;

SET LOCAL ROLE azora_owner;

ALTER TABLE identity.session
    ADD COLUMN authenticated_at  timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN end_reason        text,
    ADD CONSTRAINT session_end_reason CHECK (
        end_reason IS NULL OR revoked_at IS NOT NULL),
    ADD CONSTRAINT session_agent_length CHECK (length(agent) <= 200);

COMMENT ON COLUMN identity.session.authenticated_at IS
    'When the person last proved who they are in this session';
COMMENT ON COLUMN identity.session.end_reason IS 'Why it was ended early';

CREATE TABLE identity.refresh_token (
    hash        bytea       NOT NULL,
    session     uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    successor   bytea,
    sealed      text,
    CONSTRAINT refresh_token_pkey PRIMARY KEY (hash),
    CONSTRAINT refresh_token_session_fkey
        FOREIGN KEY (session) REFERENCES identity.session (id),
    CONSTRAINT refresh_token_hash_length CHECK (octet_length(hash) = 32),
    CONSTRAINT refresh_token_expiry CHECK (expires_at > created_at),
    CONSTRAINT refresh_token_successor
        CHECK ((used_at IS NULL) = (successor IS NULL)),
    CONSTRAINT refresh_token_sealed_length CHECK (length(sealed) <= 200)
);

CREATE INDEX refresh_token_session ON identity.refresh_token (session);

COMMENT ON TABLE identity.refresh_token IS
    'What prolongs a session: each is used once and names its successor';
COMMENT ON COLUMN identity.refresh_token.hash IS 'SHA-256 of the token';
COMMENT ON COLUMN identity.refresh_token.session IS
    'The family: all tokens that came of one login';
COMMENT ON COLUMN identity.refresh_token.created_at IS 'When it was given';
COMMENT ON COLUMN identity.refresh_token.expires_at IS
    'Seven days later, or the end of the session';
COMMENT ON COLUMN identity.refresh_token.used_at IS
    'When it was exchanged for its successor';
COMMENT ON COLUMN identity.refresh_token.successor IS
    'SHA-256 of the token it was exchanged for';
COMMENT ON COLUMN identity.refresh_token.sealed IS
    'That token, encrypted under a key that this token is needed for: what '
    'the second of two tabs gets';

CREATE TABLE identity.revocation (
    seq     bigint      NOT NULL,
    target  uuid        NOT NULL,
    epoch   bigint,
    at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT revocation_pkey PRIMARY KEY (seq, target)
);

CREATE INDEX revocation_at ON identity.revocation (at);

COMMENT ON TABLE identity.revocation IS
    'Tokens that are refused before they expire, for the nodes to keep in '
    'memory; a row goes when no token can be that old';
COMMENT ON COLUMN identity.revocation.seq IS
    'Value of the generation sessions that told of it: its row''s lock gives '
    'these numbers in the order of the commits';
COMMENT ON COLUMN identity.revocation.target IS
    'A session or a key, or an account';
COMMENT ON COLUMN identity.revocation.epoch IS
    'Of an account: its tokens of a lower epoch; otherwise NULL, all';
COMMENT ON COLUMN identity.revocation.at IS 'Since when';

COMMIT;

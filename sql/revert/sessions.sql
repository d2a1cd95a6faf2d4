BEGIN;

DROP TABLE identity.revocation;
DROP TABLE identity.refresh_token;

ALTER TABLE identity.session
    DROP CONSTRAINT session_agent_length,
    DROP CONSTRAINT session_end_reason,
    DROP COLUMN end_reason,
    DROP COLUMN authenticated_at;

COMMIT;

-- What an account is entitled to: its rate limits follow from it.

BEGIN;

SET LOCAL ROLE azora_owner;

ALTER TABLE identity.account
    ADD COLUMN tier  text NOT NULL DEFAULT 'free',
    ADD CONSTRAINT account_tier
        CHECK (tier IN ('free', 'student', 'professional', 'enterprise'));

COMMENT ON COLUMN identity.account.tier IS
    'What it is entitled to; its access tokens say so';

COMMIT;

-- Several events at a time are sent to a webhook, but for one that fails.

BEGIN;

SET LOCAL ROLE azora_owner;

ALTER TABLE journal.webhook ADD COLUMN failing boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN journal.webhook.failing IS
    'Whether the last attempt failed: then one event at a time';
COMMENT ON COLUMN journal.job.lane IS
    'Jobs that share a bound, such as those of a webhook; NULL: whenever';

COMMIT;

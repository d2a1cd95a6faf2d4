BEGIN;

DROP TABLE identity.setup_link;
-- with the functions that take its rows: each deploy makes them anew
DROP TABLE identity.api_key CASCADE;
DROP INDEX identity.account_admins;

ALTER TABLE identity.account
    DROP CONSTRAINT account_lock_reason,
    DROP CONSTRAINT account_handle_form,
    DROP CONSTRAINT account_handle_key,
    DROP COLUMN lock_reason,
    DROP COLUMN handle;

COMMIT;

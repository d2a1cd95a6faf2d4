BEGIN;

DROP INDEX ledger.hold_settles;
DROP INDEX ledger.hold_credit;
DROP INDEX ledger.hold_account;
CREATE INDEX hold_account ON ledger.hold (account);

ALTER TABLE ledger.hold
    DROP COLUMN settles_at,
    DROP COLUMN memo,
    DROP COLUMN recipient,
    DROP COLUMN credit;

COMMIT;

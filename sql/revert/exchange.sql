-- Fails when something was exchanged: those accounts have postings.

BEGIN;

-- with the functions that take their rows
DROP TABLE ledger.quote CASCADE;
DROP TABLE ledger.rate CASCADE;

ALTER TABLE ledger.issuance_policy DROP COLUMN exchange_max;

DROP TRIGGER IF EXISTS account_kept ON ledger.account;
DELETE FROM ledger.account WHERE kind = 'exchange' AND sequence = 0;

DROP INDEX ledger.account_system;
CREATE UNIQUE INDEX account_system ON ledger.account (kind, currency, slot)
    WHERE kind IN ('issuance', 'citadel_fund', 'marketplace');

ALTER TABLE ledger.account
    DROP CONSTRAINT account_kind_known,
    ADD CONSTRAINT account_kind_known CHECK (
        kind IN ('wallet', 'issuance', 'citadel_fund', 'marketplace',
                 'escrow'));

COMMIT;

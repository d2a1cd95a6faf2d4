-- Holds from one person to another, and such as settle by themselves.

BEGIN;

SET LOCAL ROLE azora_owner;

ALTER TABLE ledger.hold
    ADD COLUMN credit bigint,
    ADD COLUMN recipient text,
    ADD COLUMN memo text,
    ADD COLUMN settles_at timestamptz,
    ADD CONSTRAINT hold_credit_fkey
        FOREIGN KEY (credit) REFERENCES ledger.account (id),
    ADD CONSTRAINT hold_two_accounts CHECK (credit <> account),
    ADD CONSTRAINT hold_one_end
        CHECK (expires_at IS NULL OR settles_at IS NULL),
    ADD CONSTRAINT hold_settles_to_somebody
        CHECK (settles_at IS NULL OR credit IS NOT NULL);

COMMENT ON COLUMN ledger.hold.credit IS
    'Account that will be paid; NULL for what the house holds itself';
COMMENT ON COLUMN ledger.hold.recipient IS
    'Whom the payer named, as it was written';
COMMENT ON COLUMN ledger.hold.memo IS 'Words for both sides';
COMMENT ON COLUMN ledger.hold.settles_at IS
    'When all of it is paid by itself';

DROP INDEX ledger.hold_account;
CREATE INDEX hold_account ON ledger.hold (account, id);
CREATE INDEX hold_credit ON ledger.hold (credit, id)
    WHERE credit IS NOT NULL;
CREATE INDEX hold_settles ON ledger.hold (settles_at)
    WHERE state = 'pending' AND settles_at IS NOT NULL;

COMMIT;

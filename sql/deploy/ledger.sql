-- Money: currencies, accounts, transfers, postings, holds.
--
-- The tables on the transfer path have no foreign keys among themselves: a
-- check per row costs more than the row. Accounts and currencies are never
-- deleted, one function writes them all, and ledger.verify() proves it.

BEGIN;

CREATE SCHEMA ledger AUTHORIZATION azora_owner;

COMMENT ON SCHEMA ledger IS 'Double entry, in minor units, append only';

SET LOCAL ROLE azora_owner;

CREATE TABLE ledger.currency (
    code    text     NOT NULL,
    scale   smallint NOT NULL,
    unit    numeric  NOT NULL,
    factor  numeric  NOT NULL,
    name    text     NOT NULL,
    CONSTRAINT currency_pkey PRIMARY KEY (code),
    CONSTRAINT currency_code_form CHECK (code ~ '^[A-Z0-9]{3,8}$'),
    CONSTRAINT currency_scale_range CHECK (scale BETWEEN 0 AND 12),
    CONSTRAINT currency_factor_of_scale
        CHECK (factor = ('1e' || scale)::numeric),
    CONSTRAINT currency_unit_of_scale
        CHECK (unit * factor = 1 AND pg_catalog.scale(unit) = scale)
);

COMMENT ON TABLE ledger.currency IS 'What can be held';
COMMENT ON COLUMN ledger.currency.code IS
    'Code, as in ISO 4217 where it exists';
COMMENT ON COLUMN ledger.currency.scale IS 'Decimals of the major unit';
COMMENT ON COLUMN ledger.currency.unit IS
    'One minor unit in major ones: minor * unit prints with all its decimals';
COMMENT ON COLUMN ledger.currency.factor IS 'Minor units in a major one';
COMMENT ON COLUMN ledger.currency.name IS 'Name to show';

CREATE TABLE ledger.account (
    id          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    owner       uuid,
    kind        text        NOT NULL,
    currency    text        NOT NULL,
    reference   uuid,
    parent      bigint,
    slot        smallint    NOT NULL DEFAULT 0,
    balance     bigint      NOT NULL DEFAULT 0,
    held        bigint      NOT NULL DEFAULT 0,
    floor       bigint      NOT NULL DEFAULT 0,
    sequence    bigint      NOT NULL DEFAULT 0,
    frozen      boolean     NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    closed_at   timestamptz,
    CONSTRAINT account_pkey PRIMARY KEY (id),
    CONSTRAINT account_currency_fkey
        FOREIGN KEY (currency) REFERENCES ledger.currency (code),
    CONSTRAINT account_parent_fkey
        FOREIGN KEY (parent) REFERENCES ledger.account (id),
    CONSTRAINT account_kind_known CHECK (
        kind IN ('wallet', 'issuance', 'citadel_fund', 'marketplace',
                 'escrow')),
    CONSTRAINT account_owner_of_kind
        CHECK ((kind = 'wallet') = (owner IS NOT NULL)),
    CONSTRAINT account_reference_of_kind
        CHECK ((kind = 'escrow') = (reference IS NOT NULL)),
    CONSTRAINT account_slot_of_parent
        CHECK ((slot = 0) = (parent IS NULL) AND slot BETWEEN 0 AND 63),
    CONSTRAINT account_held_positive CHECK (held >= 0),
    CONSTRAINT account_above_floor CHECK (balance - held >= floor),
    CONSTRAINT account_sequence_positive CHECK (sequence >= 0)
) WITH (fillfactor = 50);

CREATE UNIQUE INDEX account_wallet ON ledger.account (owner, currency)
    WHERE kind = 'wallet';
CREATE UNIQUE INDEX account_escrow ON ledger.account (reference)
    WHERE kind = 'escrow';
CREATE UNIQUE INDEX account_system ON ledger.account (kind, currency, slot)
    WHERE kind IN ('issuance', 'citadel_fund', 'marketplace');
CREATE INDEX account_currency ON ledger.account (currency);
CREATE INDEX account_parent ON ledger.account (parent)
    WHERE parent IS NOT NULL;

COMMENT ON TABLE ledger.account IS
    'A balance. Half of each page stays free and no index names a column '
    'that a transfer changes, so that updates stay on their page';
COMMENT ON COLUMN ledger.account.id IS
    'Internal identifier; locks are taken in its order';
COMMENT ON COLUMN ledger.account.owner IS 'Account that owns a wallet';
COMMENT ON COLUMN ledger.account.kind IS
    'wallet; issuance (negative: what was minted); citadel_fund; '
    'marketplace (fees); escrow (one for each milestone)';
COMMENT ON COLUMN ledger.account.currency IS 'Its currency';
COMMENT ON COLUMN ledger.account.reference IS 'Milestone of an escrow';
COMMENT ON COLUMN ledger.account.parent IS
    'Account that this row is a part of; parts are only credited, '
    'and summed when the parent is read';
COMMENT ON COLUMN ledger.account.slot IS
    'Which part of a busy account; 0 is the account itself';
COMMENT ON COLUMN ledger.account.balance IS
    'Minor units, the sum of the postings';
COMMENT ON COLUMN ledger.account.held IS
    'Minor units promised by pending holds';
COMMENT ON COLUMN ledger.account.floor IS
    'balance - held never goes below; negative is a credit limit';
COMMENT ON COLUMN ledger.account.sequence IS
    'Number of postings, and the seq of the last one';
COMMENT ON COLUMN ledger.account.frozen IS
    'Neither pays nor receives while true';
COMMENT ON COLUMN ledger.account.created_at IS 'First use';
COMMENT ON COLUMN ledger.account.closed_at IS 'Closed for good';

CREATE TABLE ledger.transfer (
    id              uuid        NOT NULL,
    debit           bigint      NOT NULL,
    debit_seq       bigint      NOT NULL,
    debit_balance   bigint      NOT NULL,
    credit          bigint      NOT NULL,
    credit_seq      bigint      NOT NULL,
    credit_balance  bigint      NOT NULL,
    amount          bigint      NOT NULL,
    created_at      timestamptz NOT NULL,
    reference       uuid,
    currency        text        NOT NULL,
    kind            text        NOT NULL,
    recipient       text,
    memo            text,
    key             text,
    payload_hash    text,
    CONSTRAINT transfer_pkey PRIMARY KEY (id),
    CONSTRAINT transfer_debit_key UNIQUE (debit, debit_seq),
    CONSTRAINT transfer_credit_key UNIQUE (credit, credit_seq),
    CONSTRAINT transfer_amount_positive CHECK (amount > 0),
    CONSTRAINT transfer_two_accounts CHECK (debit <> credit)
);

CREATE UNIQUE INDEX transfer_key ON ledger.transfer (debit, key)
    WHERE key IS NOT NULL;
CREATE UNIQUE INDEX transfer_cause ON ledger.transfer (reference, kind)
    WHERE reference IS NOT NULL;

COMMENT ON TABLE ledger.transfer IS
    'One movement from one account to another with both of its postings in '
    'one row, so that they cannot disagree; append only';
COMMENT ON COLUMN ledger.transfer.id IS 'UUIDv7';
COMMENT ON COLUMN ledger.transfer.debit IS 'Account that pays';
COMMENT ON COLUMN ledger.transfer.debit_seq IS
    'Number of the posting in the payer''s statement, from 1 without gaps';
COMMENT ON COLUMN ledger.transfer.debit_balance IS
    'Balance of the payer after it';
COMMENT ON COLUMN ledger.transfer.credit IS 'Account that receives';
COMMENT ON COLUMN ledger.transfer.credit_seq IS
    'Number of the posting in the payee''s statement, from 1 without gaps';
COMMENT ON COLUMN ledger.transfer.credit_balance IS
    'Balance of the payee after it';
COMMENT ON COLUMN ledger.transfer.amount IS 'Minor units';
COMMENT ON COLUMN ledger.transfer.created_at IS 'Time of the transaction';
COMMENT ON COLUMN ledger.transfer.reference IS
    'What caused it; a cause has one transfer of each kind';
COMMENT ON COLUMN ledger.transfer.currency IS 'Currency of both accounts';
COMMENT ON COLUMN ledger.transfer.kind IS
    'Why: transfer, reward, reward_fund, escrow_fund, escrow_release, '
    'escrow_fee, escrow_refund, issue';
COMMENT ON COLUMN ledger.transfer.recipient IS
    'Whom the sender named, as it was written';
COMMENT ON COLUMN ledger.transfer.memo IS 'Words for both sides';
COMMENT ON COLUMN ledger.transfer.key IS
    'Idempotency-Key of the sender; a repeat gets this transfer again';
COMMENT ON COLUMN ledger.transfer.payload_hash IS
    'What the key was first used for';

CREATE VIEW ledger.posting AS
    SELECT t.debit AS account, t.debit_seq AS seq, -t.amount AS amount,
           t.debit_balance AS balance, t.id AS transfer
    FROM ledger.transfer AS t
    UNION ALL
    SELECT t.credit, t.credit_seq, t.amount, t.credit_balance, t.id
    FROM ledger.transfer AS t;

COMMENT ON VIEW ledger.posting IS
    'What accounts paid and received: two postings for each transfer';
COMMENT ON COLUMN ledger.posting.account IS 'Account that changed';
COMMENT ON COLUMN ledger.posting.seq IS
    'Place in the statement of the account, from 1 without gaps';
COMMENT ON COLUMN ledger.posting.amount IS
    'Minor units, negative when it paid';
COMMENT ON COLUMN ledger.posting.balance IS
    'Balance after: the one before it plus the amount';
COMMENT ON COLUMN ledger.posting.transfer IS 'Movement it belongs to';

CREATE TABLE ledger.hold (
    id          uuid        NOT NULL,
    account     bigint      NOT NULL,
    amount      bigint      NOT NULL,
    posted      bigint      NOT NULL DEFAULT 0,
    state       text        NOT NULL DEFAULT 'pending',
    reference   uuid,
    transfer    uuid,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,
    settled_at  timestamptz,
    CONSTRAINT hold_pkey PRIMARY KEY (id),
    CONSTRAINT hold_account_fkey
        FOREIGN KEY (account) REFERENCES ledger.account (id),
    CONSTRAINT hold_transfer_fkey
        FOREIGN KEY (transfer) REFERENCES ledger.transfer (id),
    CONSTRAINT hold_amount_positive CHECK (amount > 0),
    CONSTRAINT hold_posted_range CHECK (posted BETWEEN 0 AND amount),
    CONSTRAINT hold_state
        CHECK (state IN ('pending', 'posted', 'voided', 'expired')),
    CONSTRAINT hold_transfer_when_posted
        CHECK ((state = 'posted') = (transfer IS NOT NULL)),
    CONSTRAINT hold_settled_when_final
        CHECK ((state = 'pending') = (settled_at IS NULL))
) WITH (fillfactor = 70);

CREATE INDEX hold_account ON ledger.hold (account);
CREATE INDEX hold_transfer ON ledger.hold (transfer)
    WHERE transfer IS NOT NULL;
CREATE INDEX hold_due ON ledger.hold (expires_at)
    WHERE state = 'pending';

COMMENT ON TABLE ledger.hold IS
    'Money promised and not yet paid: pending, then posted, voided or expired';
COMMENT ON COLUMN ledger.hold.id IS 'UUIDv7';
COMMENT ON COLUMN ledger.hold.account IS 'Account that will pay';
COMMENT ON COLUMN ledger.hold.amount IS 'Minor units held';
COMMENT ON COLUMN ledger.hold.posted IS
    'Minor units that were paid; the rest was set free';
COMMENT ON COLUMN ledger.hold.state IS 'pending, posted, voided, expired';
COMMENT ON COLUMN ledger.hold.reference IS 'What it is held for';
COMMENT ON COLUMN ledger.hold.transfer IS 'Payment that ended it';
COMMENT ON COLUMN ledger.hold.created_at IS 'When it was made';
COMMENT ON COLUMN ledger.hold.expires_at IS
    'When it falls; NULL holds until it is ended';
COMMENT ON COLUMN ledger.hold.settled_at IS 'When it ended';

-- What a batch hands from step to step; a row of it becomes a transfer.
CREATE TYPE ledger.item AS (
    n             int,
    id            uuid,
    debit         bigint,
    credit        bigint,
    amount        bigint,
    currency      text,
    kind          text,
    reference     uuid,
    recipient     text,
    memo          text,
    key           text,
    payload_hash  text,
    problem       text,
    original      uuid,
    leader        int
);

COMMENT ON TYPE ledger.item IS 'A transfer that is being decided on';
COMMENT ON COLUMN ledger.item.n IS 'Place in the batch, from 1';
COMMENT ON COLUMN ledger.item.id IS 'Transfer it becomes when accepted';
COMMENT ON COLUMN ledger.item.debit IS 'Account that pays';
COMMENT ON COLUMN ledger.item.credit IS 'Account that receives';
COMMENT ON COLUMN ledger.item.amount IS 'Minor units';
COMMENT ON COLUMN ledger.item.currency IS 'Currency of both accounts';
COMMENT ON COLUMN ledger.item.kind IS 'Why';
COMMENT ON COLUMN ledger.item.reference IS 'What caused it';
COMMENT ON COLUMN ledger.item.recipient IS 'Whom the sender named';
COMMENT ON COLUMN ledger.item.memo IS 'Words for both sides';
COMMENT ON COLUMN ledger.item.key IS 'Idempotency-Key';
COMMENT ON COLUMN ledger.item.payload_hash IS 'What the key is used for';
COMMENT ON COLUMN ledger.item.problem IS
    'Why it is refused, NULL while nothing is wrong';
COMMENT ON COLUMN ledger.item.original IS
    'Transfer that had this key before, if any';
COMMENT ON COLUMN ledger.item.leader IS
    'First item of the batch with the same key; itself when it is the first';

-- An account under lock, so that the steps after the lock need not look it up.
CREATE TYPE ledger.state AS (
    id        bigint,
    place     tid,
    owner     uuid,
    currency  text,
    balance   bigint,
    reserve   bigint,
    sequence  bigint,
    frozen    boolean
);

COMMENT ON TYPE ledger.state IS 'An account that this transaction has locked';
COMMENT ON COLUMN ledger.state.id IS 'Account';
COMMENT ON COLUMN ledger.state.place IS
    'Where its row is; it cannot move while it is locked';
COMMENT ON COLUMN ledger.state.owner IS 'Owner of a wallet';
COMMENT ON COLUMN ledger.state.currency IS 'Its currency';
COMMENT ON COLUMN ledger.state.balance IS 'Minor units';
COMMENT ON COLUMN ledger.state.reserve IS
    'Minor units that have to stay: floor and what is held';
COMMENT ON COLUMN ledger.state.sequence IS 'Number of its last posting';
COMMENT ON COLUMN ledger.state.frozen IS 'Neither pays nor receives';

CREATE TABLE ledger.issuance_policy (
    currency  text   NOT NULL,
    day_max   bigint NOT NULL,
    CONSTRAINT issuance_policy_pkey PRIMARY KEY (currency),
    CONSTRAINT issuance_policy_currency_fkey
        FOREIGN KEY (currency) REFERENCES ledger.currency (code),
    CONSTRAINT issuance_policy_day_max_positive CHECK (day_max >= 0)
);

COMMENT ON TABLE ledger.issuance_policy IS
    'How much may be minted as rewards; a currency without a row never is. '
    'What may be minted in all is the floor of the issuance account';
COMMENT ON COLUMN ledger.issuance_policy.currency IS 'Currency';
COMMENT ON COLUMN ledger.issuance_policy.day_max IS
    'Minor units in a UTC day';

CREATE TABLE ledger.issuance_day (
    currency  text   NOT NULL,
    day       date   NOT NULL,
    minted    bigint NOT NULL DEFAULT 0,
    CONSTRAINT issuance_day_pkey PRIMARY KEY (currency, day),
    CONSTRAINT issuance_day_currency_fkey
        FOREIGN KEY (currency) REFERENCES ledger.currency (code),
    CONSTRAINT issuance_day_minted_positive CHECK (minted >= 0)
);

COMMENT ON TABLE ledger.issuance_day IS 'How much was minted on a day';
COMMENT ON COLUMN ledger.issuance_day.currency IS 'Currency';
COMMENT ON COLUMN ledger.issuance_day.day IS 'UTC day';
COMMENT ON COLUMN ledger.issuance_day.minted IS 'Minor units';

COMMIT;

-- What administrators decide: limits by KYC tier, how much may be issued, and
-- every act of theirs, some of which need a second one.

BEGIN;

SET LOCAL ROLE azora_owner;

CREATE TABLE ledger.person (
    owner  uuid     NOT NULL,
    tier   smallint NOT NULL,
    CONSTRAINT person_pkey PRIMARY KEY (owner),
    CONSTRAINT person_tier_range CHECK (tier BETWEEN 0 AND 3)
);

COMMENT ON TABLE ledger.person IS
    'How well an owner of wallets is known; without a row not at all';
COMMENT ON COLUMN ledger.person.owner IS 'Account that owns wallets';
COMMENT ON COLUMN ledger.person.tier IS
    'KYC tier, from 0 for an unknown person to 3';

CREATE TABLE ledger.tier_limit (
    currency       text     NOT NULL,
    tier           smallint NOT NULL,
    transfer_max   bigint,
    day_max        bigint,
    balance_max    bigint,
    count_max      int,
    count_seconds  int,
    CONSTRAINT tier_limit_pkey PRIMARY KEY (currency, tier),
    CONSTRAINT tier_limit_currency_fkey
        FOREIGN KEY (currency) REFERENCES ledger.currency (code),
    CONSTRAINT tier_limit_tier_range CHECK (tier BETWEEN 0 AND 3),
    CONSTRAINT tier_limit_amounts_positive
        CHECK (transfer_max > 0 AND day_max > 0 AND balance_max > 0),
    CONSTRAINT tier_limit_count_in_time CHECK (
        (count_max IS NULL) = (count_seconds IS NULL)
        AND count_max BETWEEN 1 AND 1000
        AND count_seconds BETWEEN 1 AND 86400)
);

COMMENT ON TABLE ledger.tier_limit IS
    'What a person of a tier may do in a currency; NULL is no limit';
COMMENT ON COLUMN ledger.tier_limit.currency IS 'Currency';
COMMENT ON COLUMN ledger.tier_limit.tier IS 'KYC tier';
COMMENT ON COLUMN ledger.tier_limit.transfer_max IS
    'Minor units of one payment';
COMMENT ON COLUMN ledger.tier_limit.day_max IS
    'Minor units paid in a UTC day';
COMMENT ON COLUMN ledger.tier_limit.balance_max IS
    'Minor units that others may bring a wallet to';
COMMENT ON COLUMN ledger.tier_limit.count_max IS
    'Payments within count_seconds';
COMMENT ON COLUMN ledger.tier_limit.count_seconds IS
    'Length of the sliding time that payments are counted in';

CREATE TABLE ledger.spending (
    account  bigint NOT NULL,
    day      date   NOT NULL,
    spent    bigint NOT NULL,
    CONSTRAINT spending_pkey PRIMARY KEY (account),
    CONSTRAINT spending_account_fkey
        FOREIGN KEY (account) REFERENCES ledger.account (id),
    CONSTRAINT spending_spent_positive CHECK (spent >= 0)
) WITH (fillfactor = 50);

COMMENT ON TABLE ledger.spending IS
    'What wallets with a limit paid or promised in a day; the account''s lock '
    'guards its row';
COMMENT ON COLUMN ledger.spending.account IS 'Wallet';
COMMENT ON COLUMN ledger.spending.day IS 'UTC day';
COMMENT ON COLUMN ledger.spending.spent IS 'Minor units in it';

ALTER TABLE ledger.issuance_policy
    ADD COLUMN reward_total_max bigint,
    ADD COLUMN mint_day_max bigint NOT NULL DEFAULT 0,
    ADD COLUMN four_eyes_above bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT issuance_policy_positive CHECK (
        reward_total_max >= 0 AND mint_day_max >= 0 AND four_eyes_above >= 0);

COMMENT ON TABLE ledger.issuance_policy IS
    'How much may be issued; a currency without a row never is. What may be '
    'issued in all is the floor of the issuance account';
COMMENT ON COLUMN ledger.issuance_policy.day_max IS
    'Minor units of rewards in a UTC day';
COMMENT ON COLUMN ledger.issuance_policy.reward_total_max IS
    'Minor units of rewards in all; NULL is no limit of its own';
COMMENT ON COLUMN ledger.issuance_policy.mint_day_max IS
    'Minor units that administrators issue in a UTC day';
COMMENT ON COLUMN ledger.issuance_policy.four_eyes_above IS
    'Minor units that one administrator moves in a UTC day without another';

ALTER TABLE ledger.issuance_day
    ADD COLUMN issued bigint NOT NULL DEFAULT 0,
    ADD COLUMN burned bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT issuance_day_positive CHECK (issued >= 0 AND burned >= 0);

COMMENT ON COLUMN ledger.issuance_day.minted IS 'Minor units of rewards';
COMMENT ON COLUMN ledger.issuance_day.issued IS
    'Minor units that administrators issued';
COMMENT ON COLUMN ledger.issuance_day.burned IS
    'Minor units that were taken out of circulation';

CREATE TABLE ledger.operation (
    id           uuid        NOT NULL,
    action       text        NOT NULL,
    arguments    jsonb       NOT NULL,
    reason       text        NOT NULL,
    state        text        NOT NULL DEFAULT 'proposed',
    currency     text,
    minor        bigint,
    proposed_by  uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    decided_by   uuid,
    decided_at   timestamptz,
    transfer     uuid,
    CONSTRAINT operation_pkey PRIMARY KEY (id),
    CONSTRAINT operation_state
        CHECK (state IN ('proposed', 'done', 'rejected')),
    CONSTRAINT operation_action CHECK (
        action IN ('mint', 'burn', 'reverse', 'freeze', 'unfreeze',
                   'credit_limit', 'tier', 'tier_limit', 'policy', 'rate')),
    CONSTRAINT operation_decided
        CHECK ((state = 'proposed') = (decided_at IS NULL)),
    CONSTRAINT operation_two_people
        CHECK (state <> 'done' OR decided_by <> proposed_by)
) WITH (fillfactor = 70);

CREATE INDEX operation_alone ON ledger.operation
    (proposed_by, currency, created_at)
    WHERE state = 'done' AND decided_by IS NULL;

COMMENT ON TABLE ledger.operation IS
    'Acts of administrators: done at once by one of them, or proposed by one '
    'and decided by another';
COMMENT ON COLUMN ledger.operation.id IS 'UUIDv7';
COMMENT ON COLUMN ledger.operation.action IS 'What is done';
COMMENT ON COLUMN ledger.operation.arguments IS
    'To what, with people and amounts already looked up';
COMMENT ON COLUMN ledger.operation.reason IS 'Why, in words';
COMMENT ON COLUMN ledger.operation.state IS
    'proposed, then done or rejected';
COMMENT ON COLUMN ledger.operation.currency IS 'Currency of the amount';
COMMENT ON COLUMN ledger.operation.minor IS
    'Minor units at stake; NULL where no money is';
COMMENT ON COLUMN ledger.operation.proposed_by IS 'Who asked for it';
COMMENT ON COLUMN ledger.operation.created_at IS 'When it was asked for';
COMMENT ON COLUMN ledger.operation.expires_at IS
    'From when it cannot be approved any more';
COMMENT ON COLUMN ledger.operation.decided_by IS
    'Another one who decided it; NULL when none was needed';
COMMENT ON COLUMN ledger.operation.decided_at IS 'When it was decided';
COMMENT ON COLUMN ledger.operation.transfer IS 'Movement it made';

COMMIT;

-- Exchange between currencies at a rate that holds for a moment.

BEGIN;

SET LOCAL ROLE azora_owner;

ALTER TABLE ledger.account
    DROP CONSTRAINT account_kind_known,
    ADD CONSTRAINT account_kind_known CHECK (
        kind IN ('wallet', 'issuance', 'citadel_fund', 'marketplace',
                 'escrow', 'exchange'));

DROP INDEX ledger.account_system;
CREATE UNIQUE INDEX account_system ON ledger.account (kind, currency, slot)
    WHERE kind IN ('issuance', 'citadel_fund', 'marketplace', 'exchange');

COMMENT ON COLUMN ledger.account.kind IS
    'wallet; issuance (negative: what was minted); citadel_fund; '
    'marketplace (fees); escrow (one for each milestone); exchange (what the '
    'house trades with)';

INSERT INTO ledger.account (kind, currency)
SELECT 'exchange', c.code
FROM ledger.currency AS c
ORDER BY c.code;

ALTER TABLE ledger.issuance_policy
    ADD COLUMN exchange_max bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT issuance_policy_exchange_positive
        CHECK (exchange_max >= 0);

COMMENT ON COLUMN ledger.issuance_policy.exchange_max IS
    'Minor units that the house may owe by exchanging; the floor of the '
    'exchange account';

CREATE TABLE ledger.rate (
    sell         text        NOT NULL,
    buy          text        NOT NULL,
    rate         numeric     NOT NULL,
    fee_bps      int         NOT NULL,
    valid_until  timestamptz NOT NULL,
    CONSTRAINT rate_pkey PRIMARY KEY (sell, buy),
    CONSTRAINT rate_sell_fkey
        FOREIGN KEY (sell) REFERENCES ledger.currency (code),
    CONSTRAINT rate_buy_fkey
        FOREIGN KEY (buy) REFERENCES ledger.currency (code),
    CONSTRAINT rate_two_currencies CHECK (sell <> buy),
    CONSTRAINT rate_positive CHECK (rate > 0),
    CONSTRAINT rate_fee_range CHECK (fee_bps BETWEEN 0 AND 5000)
);

CREATE INDEX rate_buy ON ledger.rate (buy);

COMMENT ON TABLE ledger.rate IS 'What the house exchanges for what';
COMMENT ON COLUMN ledger.rate.sell IS 'What it takes';
COMMENT ON COLUMN ledger.rate.buy IS 'What it gives';
COMMENT ON COLUMN ledger.rate.rate IS
    'Major units given for one taken, exact';
COMMENT ON COLUMN ledger.rate.fee_bps IS 'Its part of what it takes, in 1/10000';
COMMENT ON COLUMN ledger.rate.valid_until IS 'When it ends';

CREATE TABLE ledger.quote (
    id          uuid        NOT NULL,
    owner       uuid        NOT NULL,
    sell        text        NOT NULL,
    buy         text        NOT NULL,
    rate        numeric     NOT NULL,
    sell_minor  bigint      NOT NULL,
    fee_minor   bigint      NOT NULL,
    buy_minor   bigint      NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    transfers   uuid[],
    CONSTRAINT quote_pkey PRIMARY KEY (id),
    CONSTRAINT quote_amounts CHECK (
        sell_minor > 0 AND buy_minor > 0
        AND fee_minor BETWEEN 0 AND sell_minor - 1),
    CONSTRAINT quote_used CHECK ((used_at IS NULL) = (transfers IS NULL))
) WITH (fillfactor = 70);

CREATE INDEX quote_unused ON ledger.quote (expires_at)
    WHERE used_at IS NULL;

COMMENT ON TABLE ledger.quote IS
    'What the house promised to exchange for a moment';
COMMENT ON COLUMN ledger.quote.id IS 'UUIDv7';
COMMENT ON COLUMN ledger.quote.owner IS 'Who asked';
COMMENT ON COLUMN ledger.quote.sell IS 'What they give';
COMMENT ON COLUMN ledger.quote.buy IS 'What they get';
COMMENT ON COLUMN ledger.quote.rate IS 'At which rate';
COMMENT ON COLUMN ledger.quote.sell_minor IS
    'Minor units they give, the fee among them';
COMMENT ON COLUMN ledger.quote.fee_minor IS 'Minor units that are the fee';
COMMENT ON COLUMN ledger.quote.buy_minor IS 'Minor units they get';
COMMENT ON COLUMN ledger.quote.created_at IS 'When they asked';
COMMENT ON COLUMN ledger.quote.expires_at IS 'Until when it holds';
COMMENT ON COLUMN ledger.quote.used_at IS 'When it was taken';
COMMENT ON COLUMN ledger.quote.transfers IS 'The movements it made';

COMMIT;

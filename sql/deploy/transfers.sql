-- What some transfers have beside themselves. Tables of their own, because
-- most have nothing of it and the row of a transfer is paid by all.

BEGIN;

SET LOCAL ROLE azora_owner;

CREATE TABLE ledger.metadata (
    transfer  uuid  NOT NULL,
    body      jsonb NOT NULL,
    CONSTRAINT metadata_pkey PRIMARY KEY (transfer),
    CONSTRAINT metadata_is_object CHECK (jsonb_typeof(body) = 'object'),
    CONSTRAINT metadata_size CHECK (octet_length(body::text) <= 16384)
);

COMMENT ON TABLE ledger.metadata IS
    'What a sender attached to a transfer for their programs; append only';
COMMENT ON COLUMN ledger.metadata.transfer IS 'Transfer it belongs to';
COMMENT ON COLUMN ledger.metadata.body IS 'Members of the sender''s choice';

CREATE TABLE ledger.reversal (
    transfer  uuid   NOT NULL,
    original  uuid   NOT NULL,
    amount    bigint NOT NULL,
    CONSTRAINT reversal_pkey PRIMARY KEY (transfer),
    CONSTRAINT reversal_amount_positive CHECK (amount > 0)
);

CREATE INDEX reversal_original ON ledger.reversal (original);

COMMENT ON TABLE ledger.reversal IS
    'What was given back of a transfer: in all never more than it was, which '
    'the locks of its two accounts guard; append only';
COMMENT ON COLUMN ledger.reversal.transfer IS 'Transfer that gives back';
COMMENT ON COLUMN ledger.reversal.original IS 'Transfer it is a part of';
COMMENT ON COLUMN ledger.reversal.amount IS 'Minor units';

COMMIT;

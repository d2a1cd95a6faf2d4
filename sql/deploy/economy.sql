-- Figures over all accounts, counted once for all who ask.

BEGIN;

SET LOCAL ROLE azora_owner;

CREATE TABLE ledger.snapshot (
    name  text        NOT NULL,
    at    timestamptz NOT NULL,
    body  json        NOT NULL,
    CONSTRAINT snapshot_pkey PRIMARY KEY (name)
);

COMMENT ON TABLE ledger.snapshot IS
    'Figures that take a look at every account, as they were last counted; '
    'may be lost';
COMMENT ON COLUMN ledger.snapshot.name IS 'What was counted';
COMMENT ON COLUMN ledger.snapshot.at IS 'When';
COMMENT ON COLUMN ledger.snapshot.body IS 'The answer';

COMMIT;

BEGIN;

SET LOCAL ROLE azora_owner;

CREATE TABLE ledger.snapshot (
    name  text        NOT NULL,
    at    timestamptz NOT NULL,
    body  json        NOT NULL,
    CONSTRAINT snapshot_pkey PRIMARY KEY (name)
);

COMMIT;

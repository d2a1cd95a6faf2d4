-- The tables exist with the columns that the functions use.

BEGIN;

SELECT code, scale, unit, factor, name
FROM ledger.currency
WHERE false;

SELECT id, owner, kind, currency, reference, parent, slot, balance, held,
       floor, sequence, frozen, created_at, closed_at
FROM ledger.account
WHERE false;

SELECT id, debit, debit_seq, debit_balance, credit, credit_seq,
       credit_balance, amount, created_at, reference, currency, kind,
       recipient, memo, key, payload_hash
FROM ledger.transfer
WHERE false;

SELECT account, seq, amount, balance, transfer
FROM ledger.posting
WHERE false;

SELECT id, account, amount, posted, state, reference, transfer, created_at,
       expires_at, settled_at
FROM ledger.hold
WHERE false;

SELECT currency, day_max
FROM ledger.issuance_policy
WHERE false;

SELECT currency, day, minted
FROM ledger.issuance_day
WHERE false;

ROLLBACK;

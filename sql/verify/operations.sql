BEGIN;

SELECT owner, tier FROM ledger.person WHERE false;

SELECT currency, tier, transfer_max, day_max, balance_max, count_max,
       count_seconds
FROM ledger.tier_limit WHERE false;

SELECT account, day, spent FROM ledger.spending WHERE false;

SELECT reward_total_max, mint_day_max, four_eyes_above
FROM ledger.issuance_policy WHERE false;

SELECT issued, burned FROM ledger.issuance_day WHERE false;

SELECT id, action, arguments, reason, state, currency, minor, proposed_by,
       created_at, expires_at, decided_by, decided_at, transfer
FROM ledger.operation WHERE false;

ROLLBACK;

BEGIN;

SELECT exchange_max FROM ledger.issuance_policy WHERE false;

SELECT sell, buy, rate, fee_bps, valid_until FROM ledger.rate WHERE false;

SELECT id, owner, sell, buy, rate, sell_minor, fee_minor, buy_minor,
       created_at, expires_at, used_at, transfers
FROM ledger.quote WHERE false;

ROLLBACK;

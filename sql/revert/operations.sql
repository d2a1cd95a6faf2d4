BEGIN;

-- with the functions that take its rows
DROP TABLE ledger.operation CASCADE;

ALTER TABLE ledger.issuance_day
    DROP COLUMN burned,
    DROP COLUMN issued;

ALTER TABLE ledger.issuance_policy
    DROP COLUMN four_eyes_above,
    DROP COLUMN mint_day_max,
    DROP COLUMN reward_total_max;

DROP TABLE ledger.spending;
DROP TABLE ledger.tier_limit;
DROP TABLE ledger.person;

COMMIT;

-- Currencies and how much of each may come into being: 1,000,000,000 AZR in
-- all and 100,000 AZR of rewards a day. What others issue outside enters by
-- issuance too, bounded by half of what 64 bits hold.

SELECT ledger.open_currency('AZR', 8, 'Azora', 100000000000000000);
SELECT ledger.open_currency('BTC', 8, 'Bitcoin', 4611686018427387904);
SELECT ledger.open_currency('ETH', 9, 'Ether', 4611686018427387904);
SELECT ledger.open_currency('USD', 2, 'US dollar', 4611686018427387904);
SELECT ledger.open_currency('KES', 2, 'Kenyan shilling', 4611686018427387904);
SELECT ledger.open_currency('NGN', 2, 'Nigerian naira', 4611686018427387904);
SELECT ledger.open_currency('ZAR', 2, 'South African rand',
                            4611686018427387904);
SELECT ledger.open_currency('GHS', 2, 'Ghanaian cedi', 4611686018427387904);

INSERT INTO ledger.issuance_policy (currency, day_max)
VALUES ('AZR', 10000000000000)
ON CONFLICT DO NOTHING;

-- The ledger pays a reward for each first pass.
SELECT journal.subscribe('ledger.rewards', 'course.passed');

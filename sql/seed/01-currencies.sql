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

-- What administrators may issue in a day, and how much of it one of them does
-- without another.
INSERT INTO ledger.issuance_policy
    (currency, day_max, mint_day_max, four_eyes_above)
SELECT p.currency, p.reward_day * c.factor, p.mint_day * c.factor,
       p.alone * c.factor
FROM (VALUES ('AZR', 100000, 1000000, 10000), ('BTC', 0, 100, 1),
             ('ETH', 0, 1000, 10), ('USD', 0, 1000000, 10000),
             ('KES', 0, 100000000, 1000000),
             ('NGN', 0, 1000000000, 10000000),
             ('ZAR', 0, 10000000, 100000), ('GHS', 0, 10000000, 100000))
         AS p (currency, reward_day, mint_day, alone)
     JOIN ledger.currency AS c ON c.code = p.currency
ON CONFLICT DO NOTHING;

-- The ledger pays a reward for each first pass.
SELECT journal.subscribe('ledger.rewards', 'course.passed');

-- The sum of bigints as a bigint: sum() makes a numeric of it, which a window
-- pays for at every row. What does not fit is an error, as everywhere.
CREATE OR REPLACE AGGREGATE ledger.total(bigint) (
    SFUNC = int8pl, STYPE = bigint, INITCOND = '0'
);

COMMENT ON AGGREGATE ledger.total(bigint) IS 'Sum of minor units';

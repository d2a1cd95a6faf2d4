-- Moves money between known accounts for other functions: all of it or a
-- refusal. Fields that are asked of each item: debit, credit, amount,
-- currency, kind; reference and memo where there is one.
CREATE OR REPLACE FUNCTION ledger.post(items ledger.item[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    wrong   text;
    prefix  text := azora.uuid7_prefix(clock_timestamp());
BEGIN
    PERFORM ledger.lock_accounts(ARRAY(
        SELECT a.id
        FROM unnest(items) AS i
             CROSS JOIN LATERAL (VALUES (i.debit), (i.credit)) AS a (id)));

    SELECT CASE
               WHEN bool_or(a.frozen) THEN 'account-frozen'
               WHEN bool_or(a.balance - a.held - a.floor < s.spent)
               THEN 'insufficient-funds'
           END
    INTO wrong
    FROM (SELECT l.account, sum(l.spent) AS spent
          FROM unnest(items) AS i
               CROSS JOIN LATERAL (VALUES (i.debit, i.amount),
                                          (i.credit, 0)) AS l (account, spent)
          GROUP BY l.account) AS s
         JOIN ledger.account AS a ON a.id = s.account;

    IF wrong IS NOT NULL THEN
        PERFORM azora.refuse(p.status, p.problem, p.detail, p.pointer)
        FROM ledger.transfer_problem() AS p
        WHERE p.problem = wrong;
    END IF;

    PERFORM ledger.apply(ARRAY(
        SELECT (u.n, (prefix || substr(gen_random_uuid()::text, 16))::uuid,
                u.debit, u.credit, u.amount, u.currency, u.kind, u.reference,
                u.recipient, u.memo, NULL, NULL, NULL, NULL,
                u.n)::ledger.item
        FROM (SELECT row_number() OVER () AS n, i.debit, i.credit, i.amount,
                     i.currency, i.kind, i.reference, i.recipient, i.memo
              FROM unnest(items) AS i
              WHERE i.amount > 0) AS u));
END
$$;

COMMENT ON FUNCTION ledger.post(ledger.item[]) IS
    'Moves money between known accounts';

-- An item for post().
CREATE OR REPLACE FUNCTION ledger.movement(
    debit      bigint,
    credit     bigint,
    amount     bigint,
    currency   text,
    kind       text,
    reference  uuid DEFAULT NULL,
    memo       text DEFAULT NULL
) RETURNS ledger.item
LANGUAGE sql IMMUTABLE
AS $$
    SELECT (NULL, NULL, debit, credit, amount, currency, kind, reference,
            NULL, memo, NULL, NULL, NULL, NULL, NULL)::ledger.item
$$;

COMMENT ON FUNCTION ledger.movement(bigint, bigint, bigint, text, text, uuid,
                                    text) IS 'An item for post()';

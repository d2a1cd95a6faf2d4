-- The books at one moment: what was issued is held by somebody, so that the sum
-- of each currency is zero. Every account is really read; nothing here is
-- carried along with the transfers, which could only say that they are balanced.
CREATE OR REPLACE FUNCTION ledger.trial_balance(caller azora.caller)
RETURNS azora.reply
LANGUAGE sql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (200, ledger.count_books(), NULL, NULL)::azora.reply
$$;

COMMENT ON FUNCTION ledger.trial_balance(azora.caller) IS
    'GET /v1/ledger/trial-balance';

CREATE OR REPLACE FUNCTION ledger.count_books()
RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_build_object(
        'items', coalesce(json_agg(json_build_object(
            'currency', c.code,
            'issued', (coalesce(b.issued, 0) * c.unit)::text,
            'held', (coalesce(b.held, 0) * c.unit)::text,
            'sum', ((coalesce(b.held, 0) - coalesce(b.issued, 0))
                    * c.unit)::text) ORDER BY c.code), '[]'),
        'next', NULL,
        'at', azora.rfc3339(now()))
    FROM ledger.currency AS c
         LEFT JOIN (SELECT a.currency,
                           sum(-a.balance) FILTER (
                               WHERE a.kind = 'issuance') AS issued,
                           sum(a.balance) FILTER (
                               WHERE a.kind <> 'issuance') AS held
                    FROM ledger.account AS a
                    GROUP BY a.currency) AS b ON b.currency = c.code
$$;

COMMENT ON FUNCTION ledger.count_books() IS
    'The trial balance, counted now';

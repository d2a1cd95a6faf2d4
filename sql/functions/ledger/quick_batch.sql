-- Writes the whole batch if every item of it is good, and answers it. NULL,
-- with nothing written and nothing locked any more, when one is not: something
-- unknown, a frozen wallet, a currency with limits, a key used before, more
-- than fits, or funds that would not have been there in the order of arrival.
-- The handler makes one subtransaction for the batch, not one per item.
--
-- Two statements however many items: the first locks, the second does all the
-- rest, so that no row is put into an array and taken out again between steps.
-- Joins are by hash only, because the planner takes an array for ten rows and
-- would loop over them. The replies are an array, because rows that RETURN
-- QUERY has given stay given when an error takes back what they tell. What the
-- planner thinks this costs would have every call compiled anew, for a second.
CREATE OR REPLACE FUNCTION ledger.quick_batch(
    callers     azora.caller[],
    currencies  text[],
    addresses   text[],
    amounts     text[],
    memos       text[],
    metadata    jsonb[] DEFAULT NULL
) RETURNS azora.batch_reply[]
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_nestloop = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
    owners    uuid[] := ledger.read_owners(addresses);
    states    ledger.state[];
    ids       uuid[];
    at        timestamptz;
    stamp     text;
    replies   azora.batch_reply[];
    changed   bigint;
    accounts  bigint;
BEGIN
    -- Limits count what was paid before, so those are decided one by one. They
    -- are looked for again under the locks: one may just be set.
    IF EXISTS (SELECT 1 FROM ledger.tier_limit AS l
               WHERE l.currency = ANY (currencies))
    THEN
        RETURN NULL;
    END IF;

    states := ledger.lock_wallets(callers, owners, currencies);

    -- Under the locks, so that the times of an account rise with the numbers
    -- of its postings, which those of transactions do not.
    at := clock_timestamp();
    ids := azora.uuid7_series(at, cardinality(callers));
    at := date_trunc('milliseconds', at);
    stamp := azora.rfc3339(at);

    WITH item AS MATERIALIZED (
        SELECT u.n, u.id, u.owner,
               CASE WHEN u.minor IS NULL
                         OR EXISTS (SELECT 1 FROM ledger.tier_limit AS l
                                    WHERE l.currency = ANY (currencies))
                         OR u.owner IS NULL OR u.owner = u.subject
                         OR length(u.memo) > 280
                         OR length(u.key) NOT BETWEEN 1 AND 255
                    THEN ledger.not_quick()
                    ELSE u.minor
               END AS amount,
               u.unit, u.currency, u.subject, u.traceparent, u.key,
               u.payload_hash, u.recipient, u.memo, u.metadata
        FROM (SELECT a.n, a.id, a.owner, a.subject, a.traceparent, a.key,
                     a.payload_hash, a.currency, a.recipient, a.memo,
                     a.metadata, c.unit,
                     ledger.money_minor(a.amount, c.scale, c.factor) AS minor
              FROM unnest(ids, owners, callers, currencies, addresses,
                          amounts, memos, metadata) WITH ORDINALITY
                   AS a (id, owner, subject, session, roles, request_id,
                         traceparent, address, route, key, payload_hash,
                         currency, recipient, amount, memo, metadata, n)
                   LEFT JOIN ledger.currency AS c ON c.code = a.currency
              OFFSET 0) AS u
    ), run AS MATERIALIZED (
        SELECT p.n, p.id, p.place, p.seq, p.amount, p.is_last,
               CASE WHEN p.id IS NULL OR p.frozen
                         OR p.amount < 0 AND p.balance < p.reserve
                    THEN ledger.not_quick()
                    ELSE p.balance
               END AS balance
        FROM (SELECT l.n, s.id, s.place, s.frozen, s.reserve, l.amount,
                     s.sequence + row_number() OVER by_account AS seq,
                     s.balance + ledger.total(l.amount) OVER by_account
                         AS balance,
                     lead(false, 1, true) OVER by_account AS is_last
              FROM (SELECT i.n, i.subject AS owner, i.currency,
                           -i.amount AS amount
                    FROM item AS i
                    UNION ALL
                    SELECT i.n, i.owner, i.currency, i.amount
                    FROM item AS i) AS l
                   LEFT JOIN unnest(states) AS s
                        ON s.owner = l.owner AND s.currency = l.currency
              WINDOW by_account AS (PARTITION BY s.id ORDER BY l.n
                                    ROWS UNBOUNDED PRECEDING)) AS p
    ), paid AS MATERIALIZED (
        SELECT i.n, i.id, d.id AS debit, d.seq AS debit_seq,
               d.balance AS debit_balance, c.id AS credit,
               c.seq AS credit_seq, c.balance AS credit_balance, i.amount,
               i.unit, i.currency, i.subject, i.traceparent, i.key,
               i.payload_hash, i.recipient, i.memo
        FROM item AS i
             JOIN run AS d ON d.n = i.n AND d.amount < 0
             JOIN run AS c ON c.n = i.n AND c.amount > 0
    ), posted AS (
        INSERT INTO ledger.transfer
            (id, debit, debit_seq, debit_balance, credit, credit_seq,
             credit_balance, amount, created_at, currency, kind, recipient,
             memo, key, payload_hash)
        SELECT p.id, p.debit, p.debit_seq, p.debit_balance, p.credit,
               p.credit_seq, p.credit_balance, p.amount, at, p.currency,
               'transfer', p.recipient, p.memo, p.key, p.payload_hash
        FROM paid AS p
    ), written AS (
        UPDATE ledger.account AS a
        SET balance = r.balance,
            sequence = r.seq
        FROM run AS r
        WHERE a.ctid = ANY (ARRAY(SELECT l.place FROM run AS l
                                  WHERE l.is_last))
          AND a.id = r.id
          AND r.is_last
        RETURNING 1
    ), kept AS (
        INSERT INTO ledger.metadata (transfer, body)
        SELECT i.id, i.metadata
        FROM item AS i
        WHERE i.metadata IS NOT NULL
    ), journaled AS MATERIALIZED (
        SELECT journal.append_batch(
                   'payment.completed', array_agg(p.subject),
                   array_agg(ledger.transfer_event(
                       p.id, p.debit, p.credit, p.currency, p.amount)),
                   array_agg(p.traceparent)) AS entries
        FROM paid AS p
    )
    SELECT array_agg((
               p.n, 201,
               ledger.transfer_document(p.id, p.currency, p.amount, p.unit,
                                        p.recipient, p.memo, stamp),
               NULL, '/v1/transfers/' || p.id, NULL, NULL, NULL
           )::azora.batch_reply),
           (SELECT count(*) FROM written),
           (SELECT count(*) FROM run AS r WHERE r.is_last)
    INTO replies, changed, accounts
    FROM paid AS p
         CROSS JOIN journaled;

    IF changed <> accounts THEN
        RAISE EXCEPTION 'an account moved although it was locked';
    END IF;

    RETURN replies;
EXCEPTION
    WHEN unique_violation OR numeric_value_out_of_range
         OR SQLSTATE 'AZ001'
    THEN
        RETURN NULL;
END
$$;

COMMENT ON FUNCTION ledger.quick_batch(azora.caller[], text[], text[],
                                       text[], text[], jsonb[]) IS
    'Writes a batch if all of it is good';

CREATE OR REPLACE FUNCTION ledger.not_quick()
RETURNS bigint
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RAISE SQLSTATE 'AZ001' USING MESSAGE = 'decide one by one';
END
$$;

COMMENT ON FUNCTION ledger.not_quick() IS 'Stops quick_batch()';

-- Closes a person's wallets: nothing reaches them any more. What was promised
-- to them is given up, as they could have; what they promised is still paid.
-- Everything is locked before it is touched, in the one order: their holds,
-- also those of which only words will go, and then the accounts.
CREATE OR REPLACE FUNCTION ledger.close_wallets(owned bigint[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    locked  uuid[] := ARRAY(SELECT h.id
                            FROM ledger.hold AS h
                            WHERE h.account = ANY (owned)
                               OR h.credit = ANY (owned)
                            ORDER BY h.id
                            FOR NO KEY UPDATE);
    holds   uuid[] := ARRAY(SELECT h.id
                            FROM ledger.hold AS h
                            WHERE h.id = ANY (locked)
                              AND h.credit = ANY (owned)
                              AND h.state = 'pending');
    hold    uuid;
BEGIN
    PERFORM ledger.lock_accounts(owned || ARRAY(
        SELECT h.account FROM ledger.hold AS h WHERE h.id = ANY (holds)));

    FOREACH hold IN ARRAY holds LOOP
        PERFORM ledger.give_hold_back(hold, 'voided');
    END LOOP;

    UPDATE ledger.account AS a
    SET closed_at = now()
    WHERE a.id = ANY (owned);
END
$$;

COMMENT ON FUNCTION ledger.close_wallets(bigint[]) IS
    'Closes wallets for good';

-- The books keep every movement between accounts without names. The words
-- beside them go: memos and metadata that the person wrote, and their address
-- where others wrote it down. ledger.refuse_rewrite() lets nothing else change.
CREATE OR REPLACE FUNCTION ledger.erase_person(account uuid)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    owned  bigint[] := ledger.all_wallets(account);
BEGIN
    PERFORM ledger.close_wallets(owned);

    UPDATE ledger.transfer AS t
    SET memo = NULL
    WHERE t.debit = ANY (owned) AND t.memo IS NOT NULL;

    UPDATE ledger.metadata AS m
    SET body = '{}'
    FROM ledger.transfer AS t
    WHERE t.debit = ANY (owned) AND m.transfer = t.id;

    UPDATE ledger.transfer AS t
    SET recipient = erase_person.account::text
    WHERE t.credit = ANY (owned) AND t.recipient IS NOT NULL;

    UPDATE ledger.hold AS h
    SET memo = NULL
    WHERE h.account = ANY (owned) AND h.memo IS NOT NULL;

    UPDATE ledger.hold AS h
    SET recipient = erase_person.account::text
    WHERE h.credit = ANY (owned) AND h.recipient IS NOT NULL;
END
$$;

COMMENT ON FUNCTION ledger.erase_person(uuid) IS
    'Takes a person''s words and address out of the books';

CREATE OR REPLACE FUNCTION ledger.export_person(account uuid)
RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(json_agg(json_build_object(
        'currency', a.currency,
        'wallet', ledger.wallet_document(c, a.balance, a.held, a.floor,
                                         a.frozen),
        'transfers', (
            SELECT coalesce(json_agg(ledger.transfer_view(t.id)
                                     ORDER BY t.id), '[]')
            FROM ledger.transfer AS t
            WHERE t.debit = a.id OR t.credit = a.id))
        ORDER BY a.currency), '[]')
    FROM ledger.account AS a
         JOIN ledger.currency AS c ON c.code = a.currency
    WHERE a.owner = export_person.account AND a.kind = 'wallet'
$$;

COMMENT ON FUNCTION ledger.export_person(uuid) IS
    'Wallets of a person with all their movements';

-- Either side may read a transfer.
CREATE OR REPLACE FUNCTION ledger.get_transfer(caller azora.caller, id uuid)
RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN azora.found((
        SELECT ledger.transfer_view(t.id)
        FROM ledger.transfer AS t
             JOIN ledger.account AS d ON d.id = t.debit
             JOIN ledger.account AS r ON r.id = t.credit
        WHERE t.id = get_transfer.id
          AND caller.subject IN (d.owner, r.owner)),
        'There is no such transfer.');
END
$$;

COMMENT ON FUNCTION ledger.get_transfer(azora.caller, uuid) IS
    'GET /v1/transfers/{id}';

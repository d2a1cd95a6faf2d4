CREATE OR REPLACE FUNCTION ledger.refuse_transfer(problem text)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM azora.refuse(p.status, p.problem, p.detail, p.pointer)
    FROM ledger.transfer_problem() AS p
    WHERE p.problem = refuse_transfer.problem;
END
$$;

COMMENT ON FUNCTION ledger.refuse_transfer(text) IS
    'Raises one of the refusals of transfers';

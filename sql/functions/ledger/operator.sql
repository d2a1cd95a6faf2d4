-- The second pair of eyes of an installation with one administrator: whoever
-- runs SQL as the owner could write the rows by hand, so that asking for their
-- approval gives nothing away, and what they approve is checked, done once and
-- journaled as any other. scripts/azora approve calls these; no role that
-- NGINX has may.

-- Who decided, where it was nobody with an account.
CREATE OR REPLACE FUNCTION ledger.operator()
RETURNS uuid
LANGUAGE sql IMMUTABLE
AS $$
    SELECT '00000000-0000-0000-0000-000000000000'::uuid
$$;

COMMENT ON FUNCTION ledger.operator() IS
    'Stands for who runs the machine';

-- name says who sat there, for the journal.
CREATE OR REPLACE FUNCTION ledger.approve_as_operator(
    operation  uuid,
    name       text
) RETURNS json
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    o  ledger.operation := ledger.lock_operation(operation);
BEGIN
    PERFORM ledger.finish_operation(o.id, ledger.operator(), NULL);

    PERFORM journal.append('ledger.approved', o.proposed_by,
        jsonb_build_object('operation', o.id, 'action', o.action,
                           'operator', name));

    RETURN ledger.operation_document(o.id);
END
$$;

COMMENT ON FUNCTION ledger.approve_as_operator(uuid, text) IS
    'Approves an act of an administrator on the command line';

CREATE OR REPLACE FUNCTION ledger.waiting_operations()
RETURNS SETOF json
LANGUAGE sql STABLE
AS $$
    SELECT ledger.operation_document(o.id)
    FROM ledger.operation AS o
    WHERE o.state = 'proposed' AND o.expires_at > now()
    ORDER BY o.id
$$;

COMMENT ON FUNCTION ledger.waiting_operations() IS
    'What waits for another administrator';

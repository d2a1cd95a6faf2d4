-- What waits for another administrator, under its lock; refuses what cannot be
-- decided any more.
CREATE OR REPLACE FUNCTION ledger.lock_operation(operation uuid)
RETURNS ledger.operation
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    o  ledger.operation := (SELECT p FROM ledger.operation AS p
                            WHERE p.id = lock_operation.operation
                            FOR NO KEY UPDATE);
BEGIN
    IF o.id IS NULL THEN
        PERFORM azora.refuse(404, 'not-found', 'There is no such operation.');
    ELSIF o.state <> 'proposed' THEN
        PERFORM azora.refuse(409, 'wrong-state', 'This was decided before.');
    ELSIF o.expires_at <= now() THEN
        PERFORM azora.refuse(409, 'wrong-state',
            'This waited too long: it has to be proposed again.');
    END IF;

    RETURN o;
END
$$;

COMMENT ON FUNCTION ledger.lock_operation(uuid) IS
    'Locks what is to be decided';

CREATE OR REPLACE FUNCTION ledger.approve_operation(
    caller  azora.caller,
    id      uuid
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    o  ledger.operation := ledger.lock_operation(id);
BEGIN
    IF caller.subject = o.proposed_by
       OR ledger.is_about(o.arguments, caller.subject)
    THEN
        PERFORM azora.refuse(403, 'own-proposal',
            'Another administrator, whom it is not about, has to approve.');
    END IF;

    PERFORM ledger.finish_operation(id, caller.subject, caller.traceparent);

    RETURN (200, ledger.operation_document(id), NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.approve_operation(azora.caller, uuid) IS
    'POST /v1/admin/ledger/operations/{id}/approve';

-- Any administrator may, also who proposed it.
CREATE OR REPLACE FUNCTION ledger.reject_operation(
    caller  azora.caller,
    id      uuid
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    o  ledger.operation := ledger.lock_operation(id);
BEGIN
    UPDATE ledger.operation AS p
    SET state = 'rejected',
        decided_by = caller.subject,
        decided_at = now()
    WHERE p.id = o.id;

    PERFORM journal.append('ledger.rejected', caller.subject,
        jsonb_build_object('operation', o.id, 'action', o.action,
                           'proposed_by', o.proposed_by),
        caller.traceparent);

    RETURN (200, ledger.operation_document(id), NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.reject_operation(azora.caller, uuid) IS
    'POST /v1/admin/ledger/operations/{id}/reject';

CREATE OR REPLACE FUNCTION ledger.get_operation(caller azora.caller, id uuid)
RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN azora.found(ledger.operation_document(id),
                       'There is no such operation.');
END
$$;

COMMENT ON FUNCTION ledger.get_operation(azora.caller, uuid) IS
    'GET /v1/admin/ledger/operations/{id}';

CREATE OR REPLACE FUNCTION ledger.list_operations(
    caller   azora.caller,
    state    text,
    "limit"  bigint,
    cursor   text
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    size    bigint := azora.page_size("limit");
    before  uuid := azora.cursor_uuid(cursor);
    items   json[];
    keys    text[];
BEGIN
    IF before IS NULL THEN
        RETURN azora.invalid_cursor();
    END IF;

    SELECT array_agg(ledger.operation_document(p.id) ORDER BY p.id DESC),
           array_agg(p.id::text ORDER BY p.id DESC)
    INTO items, keys
    FROM (SELECT o.id
          FROM ledger.operation AS o
          WHERE o.id < before
            AND (list_operations.state IS NULL
                 OR list_operations.state = CASE
                     WHEN o.state = 'proposed' AND o.expires_at <= now()
                     THEN 'expired' ELSE o.state END)
          ORDER BY o.id DESC
          LIMIT size + 1) AS p;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION ledger.list_operations(azora.caller, text, bigint,
                                           text) IS
    'GET /v1/admin/ledger/operations';

-- Acts of administrators. One does what is small, for somebody else, and no
-- more of it in a day than the policy leaves to one person; anything beyond
-- that waits for another administrator.

-- Records an act and does it at once, or leaves it proposed. with_another asks
-- for the second person whatever the amount.
CREATE OR REPLACE FUNCTION ledger.begin_operation(
    action        text,
    caller        azora.caller,
    arguments     jsonb,
    reason        text,
    currency      text,
    minor         bigint,
    with_another  boolean
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    operation  uuid := azora.uuid7();
    alone      boolean;
BEGIN
    alone := NOT with_another
             AND NOT ledger.is_about(arguments, caller.subject)
             AND (minor IS NULL
                  OR ledger.left_to_one(caller.subject, currency) >= minor);

    INSERT INTO ledger.operation
        (id, action, arguments, reason, currency, minor, proposed_by,
         expires_at)
    VALUES (operation, begin_operation.action,
            jsonb_strip_nulls(begin_operation.arguments),
            begin_operation.reason, begin_operation.currency,
            begin_operation.minor, caller.subject,
            now() + interval '7 days');

    IF alone THEN
        PERFORM ledger.finish_operation(operation, NULL, caller.traceparent);
    ELSE
        PERFORM journal.append('ledger.proposed', caller.subject,
            jsonb_build_object('operation', operation, 'action', action),
            caller.traceparent);
    END IF;

    RETURN (201, ledger.operation_document(operation), NULL,
            '/v1/admin/ledger/operations/' || operation)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.begin_operation(text, azora.caller, jsonb, text,
                                           text, bigint, boolean) IS
    'Does or proposes an act of an administrator';

-- Whose money an act takes or gives: whoever it is has no part in deciding it.
CREATE OR REPLACE FUNCTION ledger.is_about(arguments jsonb, who uuid)
RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT (who::text IN (arguments ->> 'owner', arguments ->> 'payer'))
           IS TRUE
$$;

COMMENT ON FUNCTION ledger.is_about(jsonb, uuid) IS
    'Whether an act is about somebody';

-- What one administrator may still move today without another. Many small
-- amounts count as one large; the policy's lock makes racing ones wait.
CREATE OR REPLACE FUNCTION ledger.left_to_one(who uuid, currency text)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    most  bigint;
BEGIN
    SELECT p.four_eyes_above INTO most
    FROM ledger.issuance_policy AS p
    WHERE p.currency = left_to_one.currency
    FOR NO KEY UPDATE;

    RETURN (SELECT greatest(0, coalesce(most, 0)
                               - coalesce(sum(o.minor), 0))
            FROM ledger.operation AS o
            WHERE o.proposed_by = who
              AND o.currency = left_to_one.currency
              AND o.state = 'done'
              AND o.decided_by IS NULL
              AND o.created_at >= ledger.today()::timestamp
                                  AT TIME ZONE 'UTC');
END
$$;

COMMENT ON FUNCTION ledger.left_to_one(uuid, text) IS
    'What one administrator may do alone today';

-- The only way an operation is done. Its row is locked or new.
CREATE OR REPLACE FUNCTION ledger.finish_operation(
    operation    uuid,
    approver     uuid,
    traceparent  text
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    o         ledger.operation := (SELECT p FROM ledger.operation AS p
                                   WHERE p.id = finish_operation.operation);
    made      uuid;
BEGIN
    CASE o.action
        WHEN 'mint' THEN made := ledger.do_mint(o);
        WHEN 'burn' THEN made := ledger.do_burn(o);
        WHEN 'reverse' THEN made := ledger.do_reverse(o);
        WHEN 'freeze' THEN PERFORM ledger.do_freeze(o, true);
        WHEN 'unfreeze' THEN PERFORM ledger.do_freeze(o, false);
        WHEN 'credit_limit' THEN PERFORM ledger.do_credit_limit(o);
        WHEN 'tier' THEN PERFORM ledger.do_tier(o);
        WHEN 'tier_limit' THEN PERFORM ledger.do_tier_limit(o);
        WHEN 'policy' THEN PERFORM ledger.do_policy(o);
        WHEN 'rate' THEN PERFORM ledger.do_rate(o);
    END CASE;

    UPDATE ledger.operation AS p
    SET state = 'done',
        decided_by = approver,
        decided_at = now(),
        transfer = made
    WHERE p.id = operation AND p.state = 'proposed';

    IF NOT FOUND THEN
        PERFORM azora.refuse(409, 'wrong-state',
                             'This was decided before.');
    END IF;

    PERFORM journal.append('ledger.' || o.action,
        coalesce((o.arguments ->> 'owner')::uuid, o.proposed_by),
        o.arguments || jsonb_strip_nulls(jsonb_build_object(
            'operation', o.id, 'currency', o.currency, 'minor', o.minor,
            'transfer', made, 'proposed_by', o.proposed_by,
            'approved_by', approver)),
        traceparent);
END
$$;

COMMENT ON FUNCTION ledger.finish_operation(uuid, uuid, text) IS
    'Does what was decided';

CREATE OR REPLACE FUNCTION ledger.operation_document(operation uuid)
RETURNS json
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT json_strip_nulls(json_build_object(
            'id', o.id,
            'action', o.action,
            'state', CASE WHEN o.state = 'proposed' AND o.expires_at <= now()
                          THEN 'expired' ELSE o.state END,
            'reason', o.reason,
            'arguments', o.arguments,
            'currency', o.currency,
            'amount', ledger.money_text(o.currency, o.minor),
            'proposed_by', o.proposed_by,
            'created_at', azora.rfc3339(o.created_at),
            'expires_at', CASE WHEN o.state = 'proposed'
                               THEN azora.rfc3339(o.expires_at) END,
            'decided_by', o.decided_by,
            'decided_at', azora.rfc3339(o.decided_at),
            'transfer', o.transfer))
        FROM ledger.operation AS o
        WHERE o.id = operation);
END
$$;

COMMENT ON FUNCTION ledger.operation_document(uuid) IS
    'An act of an administrator';

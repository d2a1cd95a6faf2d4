-- A locked account cannot log in, its sessions are over, its keys are dead.
CREATE OR REPLACE FUNCTION identity.lock_user(
    caller  azora.caller,
    id      uuid,
    reason  text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held  identity.account;
BEGIN
    PERFORM identity.step_up(caller);

    IF lock_user.id = caller.subject THEN
        PERFORM azora.refuse(409, 'own-account',
            'Nobody locks their own account.');
    END IF;

    held := identity.hold_user(lock_user.id);

    IF held.locked THEN
        PERFORM azora.refuse(409, 'wrong-state',
            'The account is locked already.');
    END IF;

    IF 'admin' = ANY (held.roles) THEN
        PERFORM identity.require_another_admin(held.id);
    END IF;

    UPDATE identity.account AS a
    SET locked = true, lock_reason = lock_user.reason
    WHERE a.id = held.id;

    PERFORM journal.append('user.locked', held.id,
        jsonb_build_object('account', held.id, 'by', caller.subject,
                           'reason', lock_user.reason), caller.traceparent);
    PERFORM identity.end_sessions(caller, held.id,
        identity.other_sessions(held.id, NULL), 'locked');

    RETURN (204, NULL, identity.raise_epoch(held.id), NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.lock_user(azora.caller, uuid, text) IS
    'POST /v1/admin/users/{id}/lock';

CREATE OR REPLACE FUNCTION identity.unlock_user(caller azora.caller, id uuid)
RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held  identity.account;
BEGIN
    PERFORM identity.step_up(caller);

    held := identity.hold_user(unlock_user.id);

    IF NOT held.locked THEN
        PERFORM azora.refuse(409, 'wrong-state',
            'The account is not locked.');
    END IF;

    UPDATE identity.account AS a SET lock_reason = NULL, locked = false
    WHERE a.id = held.id;

    PERFORM journal.append('user.unlocked', held.id,
        jsonb_build_object('account', held.id, 'by', caller.subject),
        caller.traceparent);

    RETURN (204, NULL, NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.unlock_user(azora.caller, uuid) IS
    'POST /v1/admin/users/{id}/unlock';

CREATE OR REPLACE FUNCTION identity.user_document(account identity.account)
RETURNS json
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN json_build_object(
        'id', account.id,
        'email', account.email,
        'name', account.name,
        'handle', account.handle,
        'roles', account.roles,
        'tier', account.tier,
        'locked', account.locked,
        'lock_reason', account.lock_reason,
        'created_at', azora.rfc3339(account.created_at),
        'erased_at', azora.rfc3339(account.erased_at),
        'sessions', (SELECT count(*) FROM identity.session AS s
                     WHERE s.account = account.id AND s.revoked_at IS NULL
                       AND s.expires_at > now()));
END
$$;

COMMENT ON FUNCTION identity.user_document(identity.account) IS
    'An account as an admin sees it';

-- query is the beginning of an address, handle or name, in any case.
CREATE OR REPLACE FUNCTION identity.list_users(
    caller   azora.caller,
    query    text,
    role     text,
    locked   boolean,
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
    start   text := regexp_replace(lower(query), '([\\%_])', '\\\1', 'g')
                    || '%';
    items   json[];
    keys    text[];
BEGIN
    IF before IS NULL THEN
        RETURN azora.invalid_cursor();
    END IF;

    SELECT array_agg(p.document ORDER BY p.id DESC),
           array_agg(p.id::text ORDER BY p.id DESC)
    INTO items, keys
    FROM (SELECT a.id, identity.user_document(a) AS document
          FROM identity.account AS a
          WHERE a.id < before
            AND (start IS NULL OR a.email LIKE start OR a.handle LIKE start
                 OR lower(a.name) LIKE start)
            AND (list_users.role IS NULL OR list_users.role = ANY (a.roles))
            AND (list_users.locked IS NULL OR a.locked = list_users.locked)
          ORDER BY a.id DESC
          LIMIT size + 1) AS p;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION identity.list_users(azora.caller, text, text, boolean,
                                        bigint, text) IS
    'GET /v1/admin/users';

CREATE OR REPLACE FUNCTION identity.get_user(caller azora.caller, id uuid)
RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    document  json;
BEGIN
    SELECT identity.user_document(a) INTO document
    FROM identity.account AS a
    WHERE a.id = get_user.id;

    IF document IS NULL THEN
        RETURN azora.refusal(404, 'not-found', 'There is no such account.');
    END IF;

    RETURN (200, document, NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.get_user(azora.caller, uuid) IS
    'GET /v1/admin/users/{id}';

-- Holds the account for a change that an admin makes.
CREATE OR REPLACE FUNCTION identity.hold_user(id uuid)
RETURNS identity.account
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    held  identity.account;
BEGIN
    PERFORM identity.hold_admins();

    SELECT a.* INTO held
    FROM identity.account AS a
    WHERE a.id = hold_user.id AND a.erased_at IS NULL
    FOR UPDATE;

    IF NOT FOUND THEN
        PERFORM azora.refuse(404, 'not-found', 'There is no such account.');
    END IF;

    RETURN held;
END
$$;

COMMENT ON FUNCTION identity.hold_user(uuid) IS
    'Holds an account that an admin changes';

-- JSON Merge Patch (RFC 7396) of what an admin decides about an account: what
-- is absent stays. Its access tokens say the old roles and tier: they are
-- refused from now on, and the next refresh gives the new ones.
CREATE OR REPLACE FUNCTION identity.update_user(
    caller  azora.caller,
    id      uuid,
    roles   jsonb,
    tier    text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held    identity.account;
    wanted  text[];
    moved   bigint;
    now_is  identity.account;
BEGIN
    PERFORM identity.step_up(caller);

    held := identity.hold_user(update_user.id);
    wanted := coalesce(identity.wanted_roles(update_user.roles), held.roles);

    IF 'admin' = ANY (held.roles) AND NOT 'admin' = ANY (wanted) THEN
        PERFORM identity.require_another_admin(held.id);
    END IF;

    UPDATE identity.account AS a
    SET roles = wanted, tier = coalesce(update_user.tier, a.tier)
    WHERE a.id = held.id
    RETURNING a.* INTO now_is;

    IF NOT (held.roles <@ wanted AND wanted <@ held.roles) THEN
        PERFORM journal.append('user.roles_changed', held.id,
            jsonb_build_object('account', held.id, 'by', caller.subject,
                               'from', held.roles, 'to', wanted),
            caller.traceparent);
        moved := identity.raise_epoch(held.id);
    END IF;

    IF now_is.tier <> held.tier THEN
        PERFORM journal.append('user.tier_changed', held.id,
            jsonb_build_object('account', held.id, 'by', caller.subject,
                               'from', held.tier, 'to', now_is.tier),
            caller.traceparent);
        moved := coalesce(moved, identity.raise_epoch(held.id));
    END IF;

    RETURN (200, identity.user_document(now_is), moved, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.update_user(azora.caller, uuid, jsonb, text) IS
    'PATCH /v1/admin/users/{id}';

CREATE OR REPLACE FUNCTION identity.wanted_roles(roles jsonb)
RETURNS text[]
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    wanted  text[];
BEGIN
    IF roles IS NULL THEN
        RETURN NULL;
    END IF;

    wanted := ARRAY(SELECT DISTINCT r.role
                    FROM jsonb_array_elements_text(wanted_roles.roles)
                         AS r (role)
                    ORDER BY r.role);

    IF NOT wanted <@ ARRAY['learner', 'teacher', 'guardian', 'employer',
                           'arbiter', 'auditor', 'admin', 'service']
       OR cardinality(wanted) = 0
    THEN
        PERFORM azora.refuse(422, 'validation-failed',
            'Roles are learner, teacher, guardian, employer, arbiter, '
            'auditor, admin, service; at least one.', '/roles');
    END IF;

    RETURN wanted;
END
$$;

COMMENT ON FUNCTION identity.wanted_roles(jsonb) IS
    'Roles that an account is to have; NULL: as they are';

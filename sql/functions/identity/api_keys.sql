-- A program's account: it has keys and no password.
CREATE OR REPLACE FUNCTION identity.make_service(
    caller  azora.caller,
    name    text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    service   uuid := azora.uuid7();
    document  json;
BEGIN
    INSERT INTO identity.account AS a (id, email, name, roles)
    VALUES (service, service || '@service.invalid', make_service.name,
            '{service}')
    RETURNING identity.user_document(a) INTO document;

    PERFORM journal.append('service.created', service,
        jsonb_build_object('account', service, 'by', caller.subject),
        caller.traceparent);

    RETURN (201, document, NULL,
            '/v1/admin/users/' || service)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.make_service(azora.caller, text) IS
    'POST /v1/admin/services';

CREATE OR REPLACE FUNCTION identity.key_document(key identity.api_key)
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_build_object(
        'id', key.id,
        'account', key.account,
        'name', key.name,
        'scopes', key.scopes,
        'created_at', azora.rfc3339(key.created_at),
        'expires_at', azora.rfc3339(key.expires_at),
        'last_used_at', azora.rfc3339(key.last_used_at))
$$;

COMMENT ON FUNCTION identity.key_document(identity.api_key) IS
    'An API key, without the key';

-- The key is told once. Its last six characters are a checksum, so that what
-- is no key of ours never reaches PostgreSQL.
CREATE OR REPLACE FUNCTION identity.make_key(
    caller           azora.caller,
    id               uuid,
    name             text,
    scopes           jsonb,
    expires_in_days  bigint
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held    identity.account;
    wanted  text[] := ARRAY(
        SELECT DISTINCT s.scope
        FROM jsonb_array_elements_text(make_key.scopes) AS s (scope)
        ORDER BY s.scope);
    secret  text := 'azk_' || identity.random_token();
    made    identity.api_key;
BEGIN
    PERFORM identity.step_up(caller);

    held := identity.hold_user(make_key.id);

    IF NOT 'service' = ANY (held.roles) THEN
        PERFORM azora.refuse(409, 'wrong-state',
            'Keys are for services: people log in.');
    END IF;

    IF cardinality(wanted) = 0
       OR NOT wanted <@ string_to_array(identity.scopes(held.roles), ' ')
    THEN
        PERFORM azora.refuse(422, 'validation-failed',
            'A key has at least one scope, and none that the roles of the '
            'service do not give.', '/scopes');
    END IF;

    secret := secret || left(encode(sha256(convert_to(secret, 'UTF8')),
                                    'hex'), 6);

    INSERT INTO identity.api_key AS k
        (id, account, name, hash, scopes, created_by, expires_at)
    VALUES (azora.uuid7(), held.id, make_key.name,
            sha256(convert_to(secret, 'UTF8')), wanted, caller.subject,
            now() + interval '1 day' * coalesce(expires_in_days, 90))
    RETURNING k.* INTO made;

    PERFORM journal.append('key.created', held.id,
        jsonb_build_object('account', held.id, 'key', made.id,
                           'scopes', wanted, 'by', caller.subject),
        caller.traceparent);

    RETURN (201,
            identity.key_document(made) || jsonb_build_object('key', secret),
            NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.make_key(azora.caller, uuid, text, jsonb,
                                      bigint) IS
    'POST /v1/admin/users/{id}/keys';

CREATE OR REPLACE FUNCTION identity.list_keys(
    caller   azora.caller,
    id       uuid,
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

    SELECT array_agg(p.document ORDER BY p.id DESC),
           array_agg(p.id::text ORDER BY p.id DESC)
    INTO items, keys
    FROM (SELECT k.id, identity.key_document(k)::json AS document
          FROM identity.api_key AS k
          WHERE k.account = list_keys.id AND k.id < before
            AND k.revoked_at IS NULL AND k.expires_at > now()
          ORDER BY k.id DESC
          LIMIT size + 1) AS p;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION identity.list_keys(azora.caller, uuid, bigint, text) IS
    'GET /v1/admin/users/{id}/keys';

CREATE OR REPLACE FUNCTION identity.revoke_key(caller azora.caller, id uuid)
RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    service  uuid;
    moved    bigint;
BEGIN
    UPDATE identity.api_key AS k SET revoked_at = now()
    WHERE k.id = revoke_key.id AND k.revoked_at IS NULL
    RETURNING k.account INTO service;

    IF service IS NULL THEN
        PERFORM azora.refuse(404, 'not-found',
            'There is no such key, or it was revoked before.');
    END IF;

    PERFORM journal.append('key.revoked', service,
        jsonb_build_object('account', service, 'key', revoke_key.id,
                           'by', caller.subject), caller.traceparent);

    moved := azora.bump('sessions');
    INSERT INTO identity.revocation (seq, target)
    VALUES (moved, revoke_key.id);

    RETURN (204, NULL, moved, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.revoke_key(azora.caller, uuid) IS
    'DELETE /v1/admin/keys/{id}';

-- What a node may believe of a key with this hash (hex); no row when nothing.
CREATE OR REPLACE FUNCTION identity.api_key_holder(hash text)
RETURNS TABLE (account uuid, key uuid, roles text, scope text, tier text,
               epoch bigint, issued bigint, expires bigint)
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    UPDATE identity.api_key AS k SET last_used_at = now()
    FROM identity.account AS a
    WHERE k.hash = decode(api_key_holder.hash, 'hex')
      AND k.revoked_at IS NULL AND k.expires_at > now()
      AND a.id = k.account AND NOT a.locked AND a.erased_at IS NULL
    RETURNING a.id, k.id, array_to_string(a.roles, ' '),
              array_to_string(ARRAY(
                  SELECT s FROM unnest(k.scopes) AS s
                  WHERE s = ANY (string_to_array(identity.scopes(a.roles),
                                                 ' '))), ' '),
              a.tier,
              coalesce((SELECT e.value FROM identity.epoch AS e
                        WHERE e.account = a.id), 0),
              extract(epoch FROM now())::bigint,
              extract(epoch FROM k.expires_at)::bigint;
END
$$;

COMMENT ON FUNCTION identity.api_key_holder(text) IS
    'Account and rights behind an API key';

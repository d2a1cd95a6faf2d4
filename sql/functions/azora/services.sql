-- One spelling for each address, or NULL when it is none: an address and a
-- port, IPv6 in brackets.
CREATE OR REPLACE FUNCTION azora.service_address(address text)
RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    parts  text[] := regexp_match(address,
        '^(?:([0-9.]{7,15})|\[([0-9a-fA-F:.]{2,45})\]):([1-9][0-9]{0,4})$');
    ip     inet;
BEGIN
    IF parts IS NULL OR parts[3]::int > 65535 THEN
        RETURN NULL;
    END IF;

    ip := coalesce(parts[1], parts[2])::inet;

    RETURN CASE family(ip)
        WHEN 4 THEN host(ip) || ':' || parts[3]
        ELSE '[' || host(ip) || ']:' || parts[3]
    END;
EXCEPTION
    WHEN invalid_text_representation THEN
        RETURN NULL;
END
$$;

COMMENT ON FUNCTION azora.service_address(text) IS
    'The one spelling of an address with a port';

CREATE OR REPLACE FUNCTION azora.service_document(node azora.service_node)
RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_build_object(
        'service', node.service,
        'address', node.address,
        'weight', node.weight,
        'state', node.state,
        'changed_at', azora.rfc3339(node.changed_at))
$$;

COMMENT ON FUNCTION azora.service_document(azora.service_node) IS
    'A node as administrators see it';

-- The nodes by service and address.
CREATE OR REPLACE FUNCTION azora.list_service_nodes(
    caller   azora.caller,
    "limit"  bigint,
    cursor   text
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    after  text := azora.cursor_text(
        cursor, '^[a-z0-9-]{1,64} [0-9a-f.:\[\]]+$');
    size   bigint := azora.page_size("limit");
    items  json[];
    keys   text[];
BEGIN
    IF after IS NULL THEN
        RETURN azora.invalid_cursor();
    END IF;

    SELECT array_agg(p.document ORDER BY p.key COLLATE "C"),
           array_agg(p.key ORDER BY p.key COLLATE "C")
    INTO items, keys
    FROM (SELECT n.service || ' ' || n.address AS key,
                 azora.service_document(n) AS document
          FROM azora.service_node AS n
          WHERE (n.service || ' ' || n.address) COLLATE "C" > after
          ORDER BY (n.service || ' ' || n.address) COLLATE "C"
          LIMIT size + 1) AS p;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION azora.list_service_nodes(azora.caller, bigint, text) IS
    'GET /v1/admin/services';

-- Adds a node or changes it. The lock orders changes, so that the bound holds
-- and the journal tells what really followed on what.
CREATE OR REPLACE FUNCTION azora.set_service_node(
    caller   azora.caller,
    name     text,
    address  text,
    weight   bigint,
    state    text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place   text := azora.service_address(set_service_node.address);
    before  azora.service_node;
    node    azora.service_node;
BEGIN
    IF place IS NULL THEN
        PERFORM azora.refuse(422, 'validation-failed',
            'The address must be an IP address and a port, such as '
            || '10.0.0.5:8000 or [fd00::5]:8000.', '{address}');
    END IF;

    LOCK TABLE azora.service_node IN SHARE ROW EXCLUSIVE MODE;

    SELECT n.* INTO before
    FROM azora.service_node AS n
    WHERE n.service = set_service_node.name AND n.address = place;

    IF NOT FOUND AND 256 <= (SELECT count(*) FROM azora.service_node) THEN
        PERFORM azora.refuse(409, 'registry-full',
            'There are 256 nodes: remove one first.');
    END IF;

    INSERT INTO azora.service_node AS n (service, address, weight, state)
    VALUES (set_service_node.name, place,
            coalesce(set_service_node.weight, 1),
            coalesce(set_service_node.state, 'active'))
    ON CONFLICT ON CONSTRAINT service_node_pkey
    DO UPDATE SET
        weight = coalesce(set_service_node.weight, n.weight),
        state = coalesce(set_service_node.state, n.state),
        changed_at = now()
    RETURNING n.* INTO node;

    IF before.service IS NULL OR before.weight <> node.weight
       OR before.state <> node.state
    THEN
        PERFORM azora.bump('services');
        PERFORM journal.append('service.node_set', caller.subject,
            jsonb_build_object('account', caller.subject,
                               'service', node.service,
                               'address', node.address,
                               'weight', node.weight,
                               'state', node.state),
            caller.traceparent);
    END IF;

    RETURN (CASE WHEN before.service IS NULL THEN 201 ELSE 200 END,
            azora.service_document(node), NULL,
            CASE WHEN before.service IS NULL THEN
                '/v1/admin/services/' || node.service || '/nodes/'
                || node.address
            END)::azora.reply;
END
$$;

COMMENT ON FUNCTION azora.set_service_node(azora.caller, text, text, bigint,
                                           text)
    IS 'PUT /v1/admin/services/{name}/nodes/{address}';

CREATE OR REPLACE FUNCTION azora.remove_service_node(
    caller   azora.caller,
    name     text,
    address  text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place  text := azora.service_address(remove_service_node.address);
BEGIN
    DELETE FROM azora.service_node AS n
    WHERE n.service = remove_service_node.name AND n.address = place;

    IF NOT FOUND THEN
        PERFORM azora.refuse(404, 'not-found',
            'The service has no node of this address.');
    END IF;

    PERFORM azora.bump('services');
    PERFORM journal.append('service.node_removed', caller.subject,
        jsonb_build_object('account', caller.subject,
                           'service', remove_service_node.name,
                           'address', place),
        caller.traceparent);

    RETURN (204, NULL, NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION azora.remove_service_node(azora.caller, text, text)
    IS 'DELETE /v1/admin/services/{name}/nodes/{address}';

-- What every worker holds.
CREATE OR REPLACE FUNCTION azora.service_nodes()
RETURNS json
LANGUAGE sql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(json_agg(json_build_object(
               'service', n.service,
               'address', n.address,
               'weight', n.weight,
               'state', n.state) ORDER BY n.service, n.address), '[]')
    FROM azora.service_node AS n
$$;

COMMENT ON FUNCTION azora.service_nodes() IS 'All nodes, for NGINX';

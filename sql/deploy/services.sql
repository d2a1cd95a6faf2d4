-- The nodes of services that Azora stands in front of.

BEGIN;

SET LOCAL ROLE azora_owner;

CREATE TABLE azora.service_node (
    service     text        NOT NULL,
    address     text        NOT NULL,
    weight      int         NOT NULL DEFAULT 1,
    state       text        NOT NULL DEFAULT 'active',
    changed_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT service_node_pkey PRIMARY KEY (service, address),
    CONSTRAINT service_node_service_form
        CHECK (service ~ '^[a-z0-9-]{1,64}$'),
    CONSTRAINT service_node_address_length
        CHECK (length(address) BETWEEN 9 AND 53),
    CONSTRAINT service_node_weight_range CHECK (weight BETWEEN 1 AND 100),
    CONSTRAINT service_node_state CHECK (state IN ('active', 'draining'))
);

COMMENT ON TABLE azora.service_node IS
    'Where the services are that nodes of Azora pass requests on to';
COMMENT ON COLUMN azora.service_node.service IS
    'The name that azora_service gives in an upstream block';
COMMENT ON COLUMN azora.service_node.address IS
    'address:port, IPv6 in brackets';
COMMENT ON COLUMN azora.service_node.weight IS
    'Its share of the requests, beside the others'' weights';
COMMENT ON COLUMN azora.service_node.state IS
    'draining: it gets no more requests and ends those it has';
COMMENT ON COLUMN azora.service_node.changed_at IS 'When it last changed';

COMMIT;

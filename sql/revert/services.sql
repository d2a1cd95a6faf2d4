BEGIN;

DROP TABLE azora.service_node;

COMMIT;

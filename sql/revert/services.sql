-- with the functions that take its rows
BEGIN;

DROP TABLE azora.service_node CASCADE;

COMMIT;

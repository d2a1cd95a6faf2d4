BEGIN;

SELECT service, address, weight, state, changed_at
FROM azora.service_node WHERE false;

ROLLBACK;

-- The only way a contract changes its state. The caller holds its lock.
CREATE OR REPLACE FUNCTION market.contract_transition(
    contract  uuid,
    to_state  text
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    UPDATE market.contract AS c
    SET state = to_state,
        agreed_at = CASE WHEN to_state = 'agreed' THEN now()
                    ELSE c.agreed_at END,
        ended_at = CASE WHEN to_state IN ('completed', 'cancelled')
                   THEN now() END
    WHERE c.id = contract
      AND (c.state, to_state) IN (
          ('draft', 'agreed'),
          ('draft', 'cancelled'),
          ('agreed', 'active'),
          ('agreed', 'cancelled'),
          ('active', 'completed'),
          ('active', 'cancelled'));

    IF NOT FOUND THEN
        PERFORM azora.refuse(409, 'wrong-state',
            'The contract is not in a state that allows this.');
    END IF;
END
$$;

COMMENT ON FUNCTION market.contract_transition(uuid, text) IS
    'Moves a contract to another state, or refuses';

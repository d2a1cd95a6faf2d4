-- Milestones of a new contract, in the order given. NGINX has checked their
-- number and types; amounts are read here, each refused by its own pointer.
CREATE OR REPLACE FUNCTION market.add_milestones(
    contract    uuid,
    currency    text,
    milestones  jsonb
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF jsonb_typeof(milestones) <> 'array'
       OR jsonb_array_length(milestones) NOT BETWEEN 1 AND 20
    THEN
        PERFORM azora.refuse(422, 'invalid-milestones',
            'A contract has 1 to 20 milestones.', '/milestones');
    END IF;

    INSERT INTO market.milestone (id, contract, number, title, amount_minor)
    SELECT azora.uuid7(), add_milestones.contract, m.n,
           m.milestone ->> 'title',
           ledger.require_amount(add_milestones.currency,
                                 m.milestone ->> 'amount',
                                 '/milestones/' || m.n - 1 || '/amount')
    FROM jsonb_array_elements(milestones) WITH ORDINALITY
         AS m (milestone, n);
END
$$;

COMMENT ON FUNCTION market.add_milestones(uuid, text, jsonb) IS
    'Adds the milestones of a new contract';

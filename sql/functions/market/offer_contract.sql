-- Offers a contract with all its milestones. The commission is fixed here.
CREATE OR REPLACE FUNCTION market.offer_contract(
    caller      azora.caller,
    freelancer  text,
    title       text,
    currency    text,
    milestones  jsonb,
    job         uuid
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    id      uuid := azora.uuid7();
    worker  uuid := (SELECT r.account
                     FROM identity.resolve(ARRAY[freelancer]) AS r);
BEGIN
    IF worker IS NULL THEN
        PERFORM azora.refuse(422, 'unknown-recipient',
                             'There is no such account.', '/freelancer');
    END IF;

    IF worker = caller.subject THEN
        PERFORM azora.refuse(422, 'same-account',
            'A contract needs somebody else.', '/freelancer');
    END IF;

    IF job IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM market.job AS j
        WHERE j.id = offer_contract.job AND j.owner = caller.subject)
    THEN
        PERFORM azora.refuse(422, 'unknown-job', 'You have no such job.',
                             '/job');
    END IF;

    INSERT INTO market.contract
        (id, employer, freelancer, job, title, currency, fee_bps)
    VALUES (id, caller.subject, worker, offer_contract.job,
            offer_contract.title, offer_contract.currency,
            market.commission_bps());

    PERFORM market.add_milestones(id, currency, milestones);

    PERFORM journal.append('contract.offered', caller.subject,
        jsonb_build_object('employer', caller.subject, 'freelancer', worker,
                           'contract', id),
        caller.traceparent);

    RETURN (201, market.contract_document(id), NULL,
            '/v1/contracts/' || id)::azora.reply;
END
$$;

COMMENT ON FUNCTION market.offer_contract(azora.caller, text, text, text,
                                          jsonb, uuid) IS
    'POST /v1/contracts';

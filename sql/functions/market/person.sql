-- A contract whose money is still somewhere has another party who must be able
-- to end it; before that its party cannot be forgotten. Any other contract ends
-- here, lest a milestone that is never paid for keep somebody for ever, and its
-- other party is told. Afterwards the words that the person wrote go, and the
-- contract stays between ids. Contracts are locked before they are looked at:
-- one may be getting its money.
CREATE OR REPLACE FUNCTION market.erase_person(account uuid)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    contract  record;
BEGIN
    PERFORM c.id
    FROM market.contract AS c
    WHERE erase_person.account IN (c.employer, c.freelancer)
      AND c.ended_at IS NULL
    ORDER BY c.id
    FOR NO KEY UPDATE;

    IF EXISTS (SELECT 1
               FROM market.contract AS c
                    JOIN market.milestone AS m ON m.contract = c.id
               WHERE erase_person.account IN (c.employer, c.freelancer)
                 AND c.state = 'active'
                 AND m.funded_at IS NOT NULL AND m.ended_at IS NULL)
    THEN
        PERFORM azora.refuse(409, 'contract-open',
            'A milestone of this account is paid for and not over: end it '
            'first.');
    END IF;

    FOR contract IN
        SELECT c.id,
               CASE WHEN c.employer = erase_person.account THEN c.freelancer
                    ELSE c.employer END AS other,
               CASE WHEN EXISTS (SELECT 1 FROM market.milestone AS m
                                 WHERE m.contract = c.id AND m.released > 0)
                    THEN 'completed' ELSE 'cancelled' END AS state
        FROM market.contract AS c
        WHERE erase_person.account IN (c.employer, c.freelancer)
          AND c.ended_at IS NULL
        ORDER BY c.id
    LOOP
        PERFORM market.contract_transition(contract.id, contract.state);
        PERFORM journal.append('contract.' || contract.state, contract.other,
            jsonb_build_object('account', contract.other,
                               'contract', contract.id));
    END LOOP;

    UPDATE market.contract AS c
    SET title = 'Erased'
    WHERE c.employer = erase_person.account;

    UPDATE market.milestone AS m
    SET title = 'Erased'
    FROM market.contract AS c
    WHERE c.id = m.contract AND c.employer = erase_person.account;

    UPDATE market.milestone_event AS e
    SET note = NULL
    WHERE e.actor = erase_person.account AND e.note IS NOT NULL
      AND e.milestone IN (
          SELECT m.id
          FROM market.milestone AS m
               JOIN market.contract AS c ON c.id = m.contract
          WHERE erase_person.account IN (c.employer, c.freelancer));

    UPDATE market.application AS p
    SET message = 'Erased',
        state = CASE p.state WHEN 'sent' THEN 'withdrawn' ELSE p.state END
    WHERE p.applicant = erase_person.account;

    UPDATE market.job AS j
    SET title = 'Erased', description = 'Erased', skills = '{}',
        state = CASE j.state WHEN 'open' THEN 'withdrawn' ELSE j.state END,
        closed_at = coalesce(j.closed_at, now())
    WHERE j.owner = erase_person.account;
END
$$;

COMMENT ON FUNCTION market.erase_person(uuid) IS
    'Forgets what a person wrote in the marketplace';

CREATE OR REPLACE FUNCTION market.export_person(account uuid)
RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_build_object(
        'jobs', (
            SELECT coalesce(json_agg(market.job_document(j.id) ORDER BY j.id),
                            '[]')
            FROM market.job AS j WHERE j.owner = export_person.account),
        'applications', (
            SELECT coalesce(json_agg(market.application_document(p)
                                     ORDER BY p.id), '[]')
            FROM market.application AS p
            WHERE p.applicant = export_person.account),
        'contracts', (
            SELECT coalesce(json_agg(market.contract_document(c.id)
                                     ORDER BY c.id), '[]')
            FROM market.contract AS c
            WHERE export_person.account IN (c.employer, c.freelancer)),
        'notes', (
            SELECT coalesce(json_agg(json_build_object(
                'milestone', e.milestone,
                'at', azora.rfc3339(e.at),
                'note', e.note) ORDER BY e.milestone, e.number), '[]')
            FROM market.contract AS c
                 JOIN market.milestone AS m ON m.contract = c.id
                 JOIN market.milestone_event AS e ON e.milestone = m.id
            WHERE export_person.account IN (c.employer, c.freelancer)
              AND e.actor = export_person.account AND e.note IS NOT NULL))
$$;

COMMENT ON FUNCTION market.export_person(uuid) IS
    'Everything that a person has in the marketplace';

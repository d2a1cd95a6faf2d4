-- Erases what was journaled about a person. Entries of the public log stay:
-- they hold the hash of a salt and the payload, and both are gone then. What a
-- consumer has not handled by now, nobody will hear of any more; nor is
-- anything sent to the person or to an address of theirs, though it was asked
-- for by who did not say whose it is.
CREATE OR REPLACE FUNCTION journal.erase_person(account uuid, email text)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM journal.forget_webhooks(account);

    DELETE FROM journal.job AS j
    WHERE j.subject = erase_person.account AND j.kind <> 'webhook';

    DELETE FROM journal.job AS j
    WHERE j.subject IS NULL AND j.kind = 'mail'
      AND j.payload ->> 'email' = erase_person.email;

    DELETE FROM journal.dead_letter AS l
    WHERE l.entry IN (SELECT p.entry FROM journal.payload AS p
                      WHERE p.subject = erase_person.account);

    DELETE FROM journal.delivery AS d
    WHERE d.entry IN (SELECT p.entry FROM journal.payload AS p
                      WHERE p.subject = erase_person.account);

    DELETE FROM journal.payload AS p
    WHERE p.subject = erase_person.account;
END
$$;

COMMENT ON FUNCTION journal.erase_person(uuid, text) IS
    'Erases the payloads about a person';

CREATE OR REPLACE FUNCTION journal.export_person(account uuid)
RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(json_agg(json_build_object(
        'id', e.id,
        'type', e.type,
        'at', azora.rfc3339(p.created_at),
        'index', e.seq,
        'payload', p.body) ORDER BY p.entry), '[]')
    FROM journal.payload AS p
         JOIN journal.entry AS e ON e.id = p.entry
    WHERE p.subject = export_person.account
$$;

COMMENT ON FUNCTION journal.export_person(uuid) IS
    'Everything that was journaled about a person';

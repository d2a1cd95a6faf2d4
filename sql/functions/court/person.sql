-- What the constitution decided stays for the statistics of its rules, without
-- the words and without whose they were.
CREATE OR REPLACE FUNCTION court.erase_person(account uuid)
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    UPDATE court.decision AS d
    SET subject = NULL, excerpt = NULL, request_id = NULL
    WHERE d.subject = erase_person.account
$$;

COMMENT ON FUNCTION court.erase_person(uuid) IS
    'Takes a person out of the decisions';

CREATE OR REPLACE FUNCTION court.export_person(account uuid)
RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(json_agg(json_build_object(
        'id', d.id,
        'at', azora.rfc3339(d.at),
        'route', d.route,
        'effect', d.effect,
        'rules', d.rules,
        'article', d.article,
        'excerpt', d.excerpt) ORDER BY d.id), '[]')
    FROM court.decision AS d
    WHERE d.subject = export_person.account
$$;

COMMENT ON FUNCTION court.export_person(uuid) IS
    'What the constitution decided about a person''s requests';

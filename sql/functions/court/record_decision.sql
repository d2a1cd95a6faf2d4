-- Keeps what the constitution decided about a request. article is cited in
-- Roman, rules is the list of the rules' names, excerpt was redacted before.
CREATE OR REPLACE FUNCTION court.record_decision(
    caller   azora.caller,
    effect   text,
    rules    jsonb,
    article  text,
    hash     text,
    excerpt  jsonb
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    id  uuid := azora.uuid7();
BEGIN
    INSERT INTO court.decision
        (id, subject, route, request_id, effect, rules, article,
         constitution, excerpt)
    VALUES (id, caller.subject, caller.route, caller.request_id,
            record_decision.effect, record_decision.rules,
            (SELECT a.number FROM court.article AS a
             WHERE court.roman(a.number) = record_decision.article),
            hash, record_decision.excerpt);

    PERFORM journal.append('constitution.decided', caller.subject,
        jsonb_build_object('decision', id, 'effect', effect, 'rules', rules,
                           'article', article, 'constitution', hash,
                           'route', caller.route),
        caller.traceparent);

    RETURN (201, json_build_object('id', id), NULL, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION court.record_decision(azora.caller, text, jsonb, text,
                                          text, jsonb) IS
    'Keeps a decision of the constitution';

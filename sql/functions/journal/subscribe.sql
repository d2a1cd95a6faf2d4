-- Lets a consumer hear of a type from now on.
CREATE OR REPLACE FUNCTION journal.subscribe(consumer text, type text)
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    INSERT INTO journal.subscription (consumer, type)
    VALUES (subscribe.consumer, subscribe.type)
    ON CONFLICT DO NOTHING
$$;

COMMENT ON FUNCTION journal.subscribe(text, text) IS
    'Adds a consumer for a type of event';

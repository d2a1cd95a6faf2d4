-- Entries of a type for its consumers. They are woken only when the type has
-- one: NOTIFY takes a lock that all commits of the cluster share.
CREATE OR REPLACE FUNCTION journal.deliver(type text, entries uuid[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    INSERT INTO journal.delivery (consumer, entry)
    SELECT s.consumer, e.entry
    FROM journal.subscription AS s
         CROSS JOIN unnest(entries) AS e (entry)
    WHERE s.type = deliver.type;

    PERFORM pg_notify('azora_generation',
                      'journal ' || nextval('journal.wake'));
END
$$;

COMMENT ON FUNCTION journal.deliver(text, uuid[]) IS
    'Gives entries to the consumers of their type';

-- Replies that were kept for repeats of a person's requests, also of the one
-- that made the account, when they were nobody yet.
CREATE OR REPLACE FUNCTION azora.erase_person(account uuid)
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    DELETE FROM azora.idempotency AS i
    WHERE i.subject = erase_person.account
       OR i.subject = '00000000-0000-0000-0000-000000000000'
          AND i.body ->> 'id' = erase_person.account::text
$$;

COMMENT ON FUNCTION azora.erase_person(uuid) IS
    'Forgets replies that were kept for an account';

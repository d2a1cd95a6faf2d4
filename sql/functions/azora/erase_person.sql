-- Replies that were kept for repeats of a person's requests.
CREATE OR REPLACE FUNCTION azora.erase_person(account uuid)
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    DELETE FROM azora.idempotency AS i
    WHERE i.subject = erase_person.account
$$;

COMMENT ON FUNCTION azora.erase_person(uuid) IS
    'Forgets replies that were kept for an account';

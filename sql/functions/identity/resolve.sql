-- Accounts by how a person names them: an e-mail address, a handle with or
-- without @, or an account id. Unknown and erased ones give no row; n is the
-- place in the array, from 1.
CREATE OR REPLACE FUNCTION identity.resolve(addresses text[])
RETURNS TABLE (n bigint, account uuid)
LANGUAGE sql STABLE
AS $$
    SELECT t.n, a.id
    FROM unnest(addresses) WITH ORDINALITY AS t (address, n)
         JOIN identity.account AS a ON a.email = lower(t.address)
    WHERE t.address LIKE '_%@%' AND a.erased_at IS NULL
    UNION ALL
    SELECT t.n, a.id
    FROM unnest(addresses) WITH ORDINALITY AS t (address, n)
         JOIN identity.account AS a ON a.handle = lower(ltrim(t.address, '@'))
    WHERE t.address NOT LIKE '_%@%' AND length(t.address) <= 31
      AND a.erased_at IS NULL
    UNION ALL
    SELECT t.n, a.id
    FROM (SELECT CASE WHEN azora.is_uuid(u.address)
                 THEN u.address::uuid END, u.n
          FROM unnest(addresses) WITH ORDINALITY AS u (address, n))
         AS t (id, n)
         JOIN identity.account AS a ON a.id = t.id
    WHERE a.erased_at IS NULL
$$;

COMMENT ON FUNCTION identity.resolve(text[]) IS
    'Accounts by e-mail address, handle or id';

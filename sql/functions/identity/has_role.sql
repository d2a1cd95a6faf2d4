-- Whether an account that is neither locked nor erased has a role now; without
-- a role, whether there is such an account.
CREATE OR REPLACE FUNCTION identity.has_role(account uuid, role text)
RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN EXISTS (SELECT
                   FROM identity.account AS a
                   WHERE a.id = has_role.account
                     AND a.erased_at IS NULL
                     AND NOT a.locked
                     AND (has_role.role IS NULL
                          OR has_role.role = ANY (a.roles)));
END
$$;

COMMENT ON FUNCTION identity.has_role(uuid, text) IS
    'Whether an account has a role now';

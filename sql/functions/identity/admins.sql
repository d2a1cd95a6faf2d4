-- There is always an admin who can log in, which a service of that role cannot.
-- Whoever changes that holds this lock first: two admins that demote each other
-- at once must not both win.
CREATE OR REPLACE FUNCTION identity.hold_admins()
RETURNS void
LANGUAGE sql VOLATILE
AS $$
    SELECT pg_advisory_xact_lock(hashtext('identity.admins'))
$$;

COMMENT ON FUNCTION identity.hold_admins() IS
    'Lets one change of the admins at a time';

CREATE OR REPLACE FUNCTION identity.require_another_admin(account uuid)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM identity.account AS a
        WHERE 'admin' = ANY (a.roles)
          AND a.id <> require_another_admin.account
          AND NOT a.locked AND a.erased_at IS NULL
          AND (identity.has_password(a.id)
               OR EXISTS (SELECT FROM identity.external_login AS e
                          WHERE e.account = a.id)))
    THEN
        PERFORM azora.refuse(409, 'last-admin',
            'This is the last admin: make another one first.');
    END IF;
END
$$;

COMMENT ON FUNCTION identity.require_another_admin(uuid) IS
    'Refuses when the last admin would go';

-- Roles belong to the cluster and not to a database, so that they are no
-- change of the plan. Two deploys may run at once, hence the handlers.

DO $$
BEGIN
    IF to_regrole('azora_owner') IS NULL THEN
        CREATE ROLE azora_owner NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;
END
$$;

DO $$
BEGIN
    IF to_regrole('azora_app') IS NULL THEN
        CREATE ROLE azora_app LOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;
END
$$;

-- One who is no superuser has to be a member to create what the role owns.
DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'azora_owner', 'MEMBER') THEN
        EXECUTE format('GRANT azora_owner TO %I', current_user);
    END IF;
END
$$;

DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC',
                   current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO azora_app',
                   current_database());
    EXECUTE format('GRANT CREATE ON DATABASE %I TO azora_owner',
                   current_database());
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;

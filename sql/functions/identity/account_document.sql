CREATE OR REPLACE FUNCTION identity.account_document(account identity.account)
RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_build_object(
        'id', account.id,
        'email', account.email,
        'name', account.name,
        'roles', account.roles,
        'created_at', azora.rfc3339(account.created_at))
$$;

COMMENT ON FUNCTION identity.account_document(identity.account) IS
    'An account as its owner sees it';

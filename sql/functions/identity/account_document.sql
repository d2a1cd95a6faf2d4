CREATE OR REPLACE FUNCTION identity.account_document(account identity.account)
RETURNS json
LANGUAGE sql STABLE
AS $$
    SELECT json_strip_nulls(json_build_object(
        'id', account.id,
        'email', account.email,
        'email_verified', account.email_verified_at IS NOT NULL,
        'phone', account.phone,
        'name', account.name,
        'handle', account.handle,
        'roles', account.roles,
        'tier', account.tier,
        'created_at', azora.rfc3339(account.created_at)))
$$;

COMMENT ON FUNCTION identity.account_document(identity.account) IS
    'An account as its owner sees it';

-- What NGINX makes an access token of. The epoch is the account's as it stands
-- in this transaction: a later change of roles raises it.
CREATE OR REPLACE FUNCTION identity.grant_document(
    account  uuid,
    session  uuid,
    roles    text[],
    acr      text DEFAULT '1'
) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_build_object(
        'subject', grant_document.account,
        'session', grant_document.session,
        'roles', grant_document.roles,
        'scope', identity.scopes(grant_document.roles),
        'acr', grant_document.acr,
        'epoch', coalesce((SELECT e.value FROM identity.epoch AS e
                           WHERE e.account = grant_document.account), 0))
$$;

COMMENT ON FUNCTION identity.grant_document(uuid, uuid, text[], text) IS
    'The facts of an access token';

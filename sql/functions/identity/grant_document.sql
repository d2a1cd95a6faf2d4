-- What NGINX makes an access token of. The epoch is the account's as it stands
-- in this transaction: a later change of roles raises it. acr and amr are the
-- session's, so a refresh tells the same as the login did.
CREATE OR REPLACE FUNCTION identity.grant_document(
    account  uuid,
    session  uuid,
    roles    text[]
) RETURNS jsonb
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT jsonb_build_object(
            'subject', grant_document.account,
            'session', s.id,
            'roles', grant_document.roles,
            'scope', identity.scopes(grant_document.roles),
            'tier', a.tier,
            'acr', s.acr,
            'amr', s.amr,
            'epoch', coalesce((SELECT e.value FROM identity.epoch AS e
                               WHERE e.account = grant_document.account), 0))
        FROM identity.session AS s
             JOIN identity.account AS a ON a.id = grant_document.account
        WHERE s.id = grant_document.session);
END
$$;

COMMENT ON FUNCTION identity.grant_document(uuid, uuid, text[]) IS
    'The facts of an access token';

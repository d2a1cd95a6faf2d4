-- What a set of roles may do, as the scope of an access token (RFC 8693, 4.2).
CREATE OR REPLACE FUNCTION identity.scopes(roles text[])
RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    RETURN (
        SELECT coalesce(string_agg(DISTINCT s.scope, ' '), '')
        FROM unnest(roles) AS r (role)
             CROSS JOIN LATERAL unnest(CASE
                 WHEN r.role IN ('learner', 'teacher', 'employer', 'admin')
                 THEN ARRAY['profile:read', 'profile:write', 'course:read',
                            'course:study', 'wallet:read', 'wallet:write',
                            'market:read', 'market:write']
                 WHEN r.role IN ('guardian', 'arbiter', 'auditor', 'service')
                 THEN ARRAY['profile:read', 'profile:write']
             END || CASE r.role
                 WHEN 'teacher' THEN ARRAY['course:write']
                 WHEN 'auditor' THEN ARRAY['audit:read']
                 WHEN 'service' THEN ARRAY['introspect']
                 WHEN 'admin' THEN ARRAY['course:write', 'audit:read', 'admin']
             END) AS s (scope));
END
$$;

COMMENT ON FUNCTION identity.scopes(text[]) IS 'Scopes that roles give';

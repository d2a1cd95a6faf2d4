-- The enacted text as one document. Its hash names the constitution that a
-- decision was made by, so the order of everything in it is fixed.
CREATE OR REPLACE FUNCTION court.constitution_text()
RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_build_object(
        'principles', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'name', p.name,
                       'title', p.title,
                       'text', p.text) ORDER BY p.number), '[]')
            FROM court.principle AS p),
        'articles', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'number', court.roman(a.number),
                       'title', a.title,
                       'principle', a.principle,
                       'text', a.text) ORDER BY a.number), '[]')
            FROM court.article AS a),
        'rules', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'id', r.id,
                       'version', r.version,
                       'article', court.roman(r.article),
                       'effect', r.effect,
                       'shadow', r.shadow,
                       'routes', r.routes,
                       'pointers', r.pointers,
                       'pattern', r.pattern,
                       'reason', r.reason) ORDER BY r.id), '[]')
            FROM court.rule AS r
            WHERE r.state = 'enacted'))
$$;

COMMENT ON FUNCTION court.constitution_text() IS 'The enacted text';

CREATE OR REPLACE FUNCTION court.constitution_hash()
RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT encode(sha256(convert_to(court.constitution_text()::text,
                                    'UTF8')), 'hex')
$$;

COMMENT ON FUNCTION court.constitution_hash() IS
    'SHA-256 of the enacted text, hex';

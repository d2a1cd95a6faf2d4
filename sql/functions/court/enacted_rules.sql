-- What NGINX compiles: the enacted rules with their examples, the generation
-- and the hash they belong to, all of one snapshot.
CREATE OR REPLACE FUNCTION court.enacted_rules()
RETURNS json
LANGUAGE sql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT json_build_object(
        'generation', coalesce(
            (SELECT g.value FROM azora.generations() AS g
             WHERE g.name = 'constitution'), 0),
        'hash', court.constitution_hash(),
        'rules', coalesce(
            (SELECT json_agg(json_build_object(
                        'id', r.id,
                        'article', court.roman(r.article),
                        'article_title', a.title,
                        'effect', r.effect,
                        'shadow', r.shadow,
                        'routes', r.routes,
                        'pointers', r.pointers,
                        'pattern', r.pattern,
                        'reason', r.reason,
                        'examples', r.examples) ORDER BY r.id)
             FROM court.rule AS r
                  JOIN court.article AS a ON a.number = r.article
             WHERE r.state = 'enacted'), '[]'))
$$;

COMMENT ON FUNCTION court.enacted_rules() IS 'Rules for NGINX to compile';

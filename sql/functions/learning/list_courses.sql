CREATE OR REPLACE FUNCTION learning.list_courses(
    caller   azora.caller,
    "limit"  bigint,
    cursor   text
) RETURNS azora.reply
LANGUAGE plpgsql STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    after  text := azora.cursor_text(cursor, '^[a-z0-9-]{1,64}$');
    size   bigint := azora.page_size("limit");
    items  json[];
    keys   text[];
BEGIN
    IF after IS NULL THEN
        RETURN azora.invalid_cursor();
    END IF;

    SELECT array_agg(p.document ORDER BY p.course),
           array_agg(p.course ORDER BY p.course)
    INTO items, keys
    FROM (
        SELECT v.course,
               json_build_object(
                   'slug', v.course,
                   'title', v.title,
                   'summary', v.summary,
                   'language', v.language,
                   'lessons', l.lessons,
                   'bytes', l.bytes) AS document
        FROM learning.course_version AS v
             CROSS JOIN LATERAL (
                 SELECT count(*) AS lessons,
                        coalesce(sum(o.bytes), 0) AS bytes
                 FROM learning.lesson AS o
                 WHERE o.course = v.course AND o.version = v.version
             ) AS l
        WHERE v.state = 'published' AND v.course > after
        ORDER BY v.course
        LIMIT size + 1
    ) AS p;

    RETURN azora.page(items, keys, size);
END
$$;

COMMENT ON FUNCTION learning.list_courses(azora.caller, bigint, text) IS
    'GET /v1/courses';

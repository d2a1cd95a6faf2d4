-- How far somebody is in the published version of a course. Lessons that a
-- later version dropped do not count.
CREATE OR REPLACE FUNCTION learning.progress_document(
    account  uuid,
    course   text
) RETURNS json
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (
        SELECT json_build_object('done', count(p.number), 'total', count(*))
        FROM learning.course_version AS v
             JOIN learning.lesson AS l
                  ON l.course = v.course AND l.version = v.version
             LEFT JOIN learning.progress AS p
                  ON p.account = progress_document.account
                 AND p.course = l.course
                 AND p.number = l.number
        WHERE v.course = progress_document.course AND v.state = 'published');
END
$$;

COMMENT ON FUNCTION learning.progress_document(uuid, text) IS
    'Lessons done, of how many';

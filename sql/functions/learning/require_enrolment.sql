-- Locks the caller's enrolment, so that progress, attempts and grades of one
-- learner in one course happen one after another.
CREATE OR REPLACE FUNCTION learning.require_enrolment(
    account  uuid,
    course   text
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM 1
    FROM learning.enrolment AS e
    WHERE e.account = require_enrolment.account
      AND e.course = require_enrolment.course
    FOR NO KEY UPDATE;

    IF NOT FOUND THEN
        PERFORM azora.refuse(409, 'not-enrolled',
                             'You are not enrolled in this course.');
    END IF;
END
$$;

COMMENT ON FUNCTION learning.require_enrolment(uuid, text) IS
    'Locks an enrolment or refuses';

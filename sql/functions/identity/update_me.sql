-- JSON Merge Patch (RFC 7396) of what a person may change: what is absent
-- stays. A phone number is only sent a code: it becomes theirs when that comes
-- back, see confirm_phone().
CREATE OR REPLACE FUNCTION identity.update_me(
    caller  azora.caller,
    name    text,
    handle  text,
    phone   text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted    text := lower(update_me.handle);
    document  json;
    changed   text[] := array_remove(ARRAY[
        CASE WHEN update_me.name IS NOT NULL THEN 'name' END,
        CASE WHEN update_me.handle IS NOT NULL THEN 'handle' END], NULL);
BEGIN
    IF wanted !~ '^[a-z][a-z0-9_]{2,29}$' THEN
        PERFORM azora.refuse(422, 'validation-failed',
            'A handle has 3 to 30 letters, digits and _, a letter first.',
            '/handle');
    END IF;

    IF phone !~ '^\+[1-9][0-9]{6,14}$' THEN
        PERFORM azora.refuse(422, 'validation-failed',
            'A phone number has the form +254712345678: the code of the '
            'country first, no blanks.', '/phone');
    END IF;

    IF phone IS NOT NULL THEN
        PERFORM identity.step_up(caller);
    END IF;

    UPDATE identity.account AS a
    SET name = coalesce(update_me.name, a.name),
        handle = coalesce(wanted, a.handle)
    WHERE a.id = caller.subject AND a.erased_at IS NULL
    RETURNING identity.account_document(a) INTO document;

    IF document IS NULL THEN
        PERFORM azora.refuse(404, 'not-found', 'This account is gone.');
    END IF;

    IF phone IS NOT NULL AND phone IS DISTINCT FROM document ->> 'phone' THEN
        PERFORM identity.send_phone_code(caller.subject, phone);
    END IF;

    IF cardinality(changed) > 0 THEN
        PERFORM journal.append('user.updated', caller.subject,
            jsonb_build_object('account', caller.subject,
                               'changed', changed), caller.traceparent);
    END IF;

    RETURN (200, document, NULL, NULL)::azora.reply;
EXCEPTION
    WHEN unique_violation THEN
        PERFORM azora.refuse(409, 'handle-taken',
            'Somebody else has this handle.', '/handle');
END
$$;

COMMENT ON FUNCTION identity.update_me(azora.caller, text, text, text) IS
    'PATCH /v1/me';

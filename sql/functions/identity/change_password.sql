-- current_password is NGINX's verdict, new_password the PHC string of the new
-- one. Every other session ends, and what waits for a second factor after the
-- old one; this session goes on. A wrong password is counted as a failed login
-- is, so that a stolen session cannot guess.
CREATE OR REPLACE FUNCTION identity.change_password(
    caller            azora.caller,
    current_password  text,
    new_password      text
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    refused  azora.reply;
    moved    bigint;
BEGIN
    refused := identity.prove_again(current_password, caller);

    IF refused.status IS NOT NULL THEN
        RETURN refused;
    END IF;

    UPDATE identity.credential AS c
    SET password = new_password, changed_at = now()
    WHERE c.account = caller.subject;

    DELETE FROM identity.challenge AS c WHERE c.account = caller.subject;

    PERFORM identity.forget_links(caller.subject);
    PERFORM journal.append('user.password_changed', caller.subject,
        jsonb_build_object('account', caller.subject), caller.traceparent);
    PERFORM identity.send_mail('password-changed', caller.subject);

    moved := identity.end_sessions(caller, caller.subject,
        identity.other_sessions(caller.subject, caller.session), 'password');

    RETURN (204, NULL, moved, NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.change_password(azora.caller, text, text) IS
    'POST /v1/auth/password';

-- The caller's own password once more: a refusal, or NULL. Holds the account's
-- row. It is no login: a password alone proves less than that may have to.
CREATE OR REPLACE FUNCTION identity.prove_again(
    verdict  text,
    caller   azora.caller
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    address  text;
    wait     int;
BEGIN
    SELECT a.email INTO address
    FROM identity.account AS a
    WHERE a.id = caller.subject AND NOT a.locked AND a.erased_at IS NULL
    FOR SHARE;

    wait := identity.guess_wait(address, caller.address);

    IF wait > 0 THEN
        RETURN azora.refusal(429, 'too-many-attempts', format(
            'Too many attempts failed. Try again in %s s.', wait));
    END IF;

    IF address IS NULL
       OR NOT identity.password_proved(caller.subject, verdict)
    THEN
        PERFORM identity.login_failed(coalesce(address, ''), caller.address);
        PERFORM journal.append('user.login_failed', caller.subject,
            jsonb_build_object('account', caller.subject),
            caller.traceparent);
        RETURN azora.refusal(403, 'wrong-password',
            'This is not the account''s password.');
    END IF;

    -- As at a login: of two factors the password alone forgives nothing.
    IF NOT identity.has_second_factor(caller.subject) THEN
        PERFORM identity.login_succeeded(address, caller.address);
    END IF;

    RETURN NULL;
END
$$;

COMMENT ON FUNCTION identity.prove_again(text, azora.caller) IS
    'Proves the caller once more';

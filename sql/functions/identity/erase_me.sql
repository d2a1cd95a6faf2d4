-- A person asks to be forgotten. What says who they are goes, here and in the
-- other schemas; what others need to keep (the books, a contract's other
-- party) keeps the account's id, which by then names nobody. Proofs of the
-- public log stay valid, for it holds salted hashes only.
CREATE OR REPLACE FUNCTION identity.erase_me(caller azora.caller)
RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mail     text;
    was      text[];
BEGIN
    PERFORM identity.step_up(caller);

    PERFORM identity.hold_admins();

    SELECT a.email, a.roles INTO mail, was
    FROM identity.account AS a
    WHERE a.id = caller.subject AND a.erased_at IS NULL
    FOR UPDATE;

    IF NOT FOUND THEN
        PERFORM azora.refuse(404, 'not-found', 'This account is gone.');
    END IF;

    IF 'admin' = ANY (was) THEN
        PERFORM identity.require_another_admin(caller.subject);
    END IF;

    PERFORM market.erase_person(caller.subject);
    PERFORM learning.erase_person(caller.subject);
    PERFORM court.erase_person(caller.subject);
    -- before the books: who pays rewards locks events and then accounts
    PERFORM journal.erase_person(caller.subject, mail);
    PERFORM ledger.erase_person(caller.subject);
    PERFORM azora.erase_person(caller.subject);

    UPDATE identity.account AS a
    SET email = NULL, name = 'Erased', handle = NULL, roles = '{learner}',
        tier = 'free', email_verified_at = NULL, phone = NULL,
        phone_verified_at = NULL, erased_at = now()
    WHERE a.id = caller.subject;

    DELETE FROM identity.credential AS c WHERE c.account = caller.subject;
    PERFORM identity.forget_second_factor(caller.subject);
    PERFORM identity.forget_links(caller.subject);
    -- How many codes a number got stays: who opens an account for each and
    -- erases it would have it called all day.
    UPDATE identity.phone_code AS c SET account = NULL, hash = NULL
    WHERE c.account = caller.subject;
    DELETE FROM identity.external_login AS e
    WHERE e.account = caller.subject;
    DELETE FROM identity.login_failure AS f
    WHERE f.principal = sha256(convert_to(mail, 'UTF8'));
    DELETE FROM identity.setup_link AS l WHERE l.email = mail;
    DELETE FROM identity.registration AS r WHERE r.email = mail;
    UPDATE identity.api_key AS k SET revoked_at = now(), name = 'Erased'
    WHERE k.account = caller.subject;

    PERFORM journal.append('user.erased', caller.subject,
        jsonb_build_object('account', caller.subject), caller.traceparent);
    PERFORM identity.end_sessions(caller, caller.subject,
        identity.other_sessions(caller.subject, NULL), 'erased');
    UPDATE identity.session AS s SET address_prefix = NULL, agent = NULL
    WHERE s.account = caller.subject;

    RETURN (204, NULL, identity.raise_epoch(caller.subject),
            NULL)::azora.reply;
END
$$;

COMMENT ON FUNCTION identity.erase_me(azora.caller) IS 'DELETE /v1/me';

CREATE OR REPLACE FUNCTION identity.forget_second_factor(account uuid)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    DELETE FROM identity.challenge AS c
    WHERE c.account = forget_second_factor.account;
    DELETE FROM identity.recovery_code AS r
    WHERE r.account = forget_second_factor.account;
    DELETE FROM identity.totp AS t
    WHERE t.account = forget_second_factor.account;
END
$$;

COMMENT ON FUNCTION identity.forget_second_factor(uuid) IS
    'Takes an account''s second factor away';

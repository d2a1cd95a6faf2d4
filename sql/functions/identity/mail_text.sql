-- The words of our mails. NGINX puts in the service's name for {service}, where
-- its pages are for {link} and a one-time token for {token}; behind a # it is
-- in no server's log. Nothing that a person chose is in them, not even a name:
-- a stranger could open an account with somebody's address to tell them things.
CREATE OR REPLACE FUNCTION identity.mail_text(
    template  text,
    details   json
) RETURNS TABLE (subject text, body text)
LANGUAGE sql STABLE
AS $$
    SELECT '{service}: ' || t.subject,
           format(E'Hello,\n\n%s\n\nYours, {service}\n',
                  format(t.words, to_char(
                      (details ->> 'at')::timestamptz AT TIME ZONE 'UTC',
                      'YYYY-MM-DD HH24:MI "UTC"'),
                      coalesce(details ->> 'network', 'an unknown network')))
    FROM (VALUES
        ('email-verify', 'is this your address?',
         E'somebody, probably you, opened an account with this address. To\n'
         'show that it is yours, open this page within an hour:\n\n'
         '{link}/verify-email#token={token}\n\n'
         'If it was not you, do nothing.'),
        ('email-taken', 'you have an account already',
         E'somebody, probably you, tried to open an account with this\n'
         'address. There is one already: log in with it, or ask for a new\n'
         'password if you forgot yours.\n\n'
         'If it was not you, do nothing: the account is as it was.'),
        ('password-reset', 'a new password',
         E'somebody, probably you, asked for a new password. To choose one,\n'
         'open this page within an hour:\n\n'
         '{link}/reset-password#token={token}\n\n'
         'It works once. If it was not you, do nothing: your password stays\n'
         'as it is.'),
        ('password-changed', 'your password was changed',
         E'your password was changed at %1$s. All other devices were logged\n'
         'out.\n\n'
         'If it was not you, ask for a new password at once and look at\n'
         'your sessions.'),
        ('new-device', 'a login from a new device',
         E'somebody logged in to your account at %1$s with a device or from\n'
         'a network that we have not seen before (%2$s).\n\n'
         'If it was you, all is well. If not, change your password: that\n'
         'ends all other sessions.'),
        ('refresh-reused', 'a session was ended',
         E'at %1$s somebody used a copy of what keeps one of your devices\n'
         'logged in. We ended that session on both sides: log in again.\n\n'
         'If this happens more than once, change your password and look for\n'
         'strange programs on your devices.'),
        ('second-factor-added', 'second factor turned on',
         E'from now on logging in needs a code of your authenticator. It was\n'
         'turned on at %1$s.\n\n'
         'Keep the recovery codes where the authenticator is not. If it was\n'
         'not you, write to us at once.'),
        ('second-factor-removed', 'second factor turned off',
         E'since %1$s the password alone logs in to your account.\n\n'
         'If it was not you, change your password and turn the second\n'
         'factor on again.'),
        ('second-factor-reset', 'second factor turned off for you',
         E'at %1$s an administrator turned off the second factor of your\n'
         'account, because somebody, probably you, said that it was lost. All\n'
         'devices were logged out.\n\n'
         'Log in and turn it on again. If it was not you, change your password\n'
         'and write to us at once.'),
        ('login-linked', 'another way to log in',
         E'since %1$s an account at another provider logs in to yours. You see\n'
         'it among your logins.\n\n'
         'If it was not you, unlink it, change your password and look at your\n'
         'sessions.'),
        ('login-unlinked', 'a way to log in was removed',
         E'since %1$s an account at another provider no longer logs in to\n'
         'yours. Sessions that began with it were ended.\n\n'
         'If it was not you, change your password and look at your sessions.'),
        ('phone-changed', 'your phone number was set',
         E'at %1$s somebody set the phone number of your account, with a code\n'
         'that was sent there.\n\n'
         'If it was not you, change your password and remove the number.'),
        ('phone-replaced', 'your phone number was replaced',
         E'at %1$s somebody set another phone number for your\n'
         'account, with a code that was sent there.\n\n'
         'If it was not you, change your password and set your own again.'),
        ('phone-removed', 'your phone number was removed',
         E'at %1$s the phone number of your account was removed.\n\n'
         'If it was not you, change your password and look at your\n'
         'sessions.'),
        ('recovery-code-used', 'a recovery code was used',
         E'somebody logged in at %1$s with one of your recovery codes, which\n'
         'is used up now.\n\n'
         'If it was not you, change your password and get new codes.')
    ) AS t (template, subject, words)
    WHERE t.template = mail_text.template
$$;

COMMENT ON FUNCTION identity.mail_text(text, json) IS
    'The words of a mail';

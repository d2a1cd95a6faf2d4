-- Refuses every access token that an account has now, because what it says is
-- no longer true: roles changed, or the account was locked or erased. Sessions
-- stay unless they are ended too, and the next refresh gives a token of today.
-- Returns the value that the generation of sessions moved to.
CREATE OR REPLACE FUNCTION identity.raise_epoch(account uuid)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    raised  bigint;
    moved   bigint;
BEGIN
    INSERT INTO identity.epoch AS e (account, value)
    VALUES (raise_epoch.account, 1)
    ON CONFLICT ON CONSTRAINT epoch_pkey DO UPDATE SET value = e.value + 1
    RETURNING e.value INTO raised;

    moved := azora.bump('sessions');

    INSERT INTO identity.revocation (seq, target, epoch)
    VALUES (moved, raise_epoch.account, raised);

    RETURN moved;
END
$$;

COMMENT ON FUNCTION identity.raise_epoch(uuid) IS
    'Refuses the access tokens an account has';

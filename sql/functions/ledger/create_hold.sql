-- Holds money for somebody: until they take it or it expires, or until it is
-- paid to them by itself. One of the two ends there always is, so that nothing
-- is held for ever.
CREATE OR REPLACE FUNCTION ledger.create_hold(
    caller      azora.caller,
    currency    text,
    "to"        text,
    amount      text,
    memo        text,
    expires_at  timestamptz,
    settles_at  timestamptz
) RETURNS azora.reply
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    minor  bigint := ledger.require_amount(currency, amount, '/amount');
    payee  uuid;
    debit  bigint;
    hold   uuid;
BEGIN
    PERFORM ledger.require_hold_times(expires_at, settles_at);

    payee := (ledger.find_owners(ARRAY["to"], ARRAY[currency]))[1];

    IF payee IS NULL THEN
        PERFORM ledger.refuse_transfer('unknown-recipient');
    ELSIF payee = caller.subject THEN
        PERFORM ledger.refuse_transfer('same-account');
    END IF;

    IF settles_at IS NULL THEN
        expires_at := coalesce(expires_at, now() + interval '7 days');
    END IF;

    debit := ledger.wallet(caller.subject, currency);
    hold := ledger.place_hold(debit, minor, NULL, expires_at, settles_at,
                              ledger.wallet(payee, currency), "to", memo);

    PERFORM ledger.journal_hold('hold.placed', hold, caller.traceparent);

    RETURN (201, ledger.hold_document(hold), NULL,
            '/v1/holds/' || hold)::azora.reply;
END
$$;

COMMENT ON FUNCTION ledger.create_hold(azora.caller, text, text, text, text,
                                       timestamptz, timestamptz) IS
    'POST /v1/holds';

CREATE OR REPLACE FUNCTION ledger.require_hold_times(
    expires_at  timestamptz,
    settles_at  timestamptz
) RETURNS void
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF expires_at IS NOT NULL AND settles_at IS NOT NULL THEN
        PERFORM azora.refuse(422, 'invalid-hold-time',
            'A hold either expires or settles.', '/settles_at');
    END IF;

    IF coalesce(expires_at, settles_at) NOT BETWEEN now()
           AND now() + interval '366 days'
    THEN
        PERFORM azora.refuse(422, 'invalid-hold-time',
            'A hold ends in the future and within a year.',
            CASE WHEN expires_at IS NULL THEN '/settles_at'
                 ELSE '/expires_at' END);
    END IF;
END
$$;

COMMENT ON FUNCTION ledger.require_hold_times(timestamptz, timestamptz) IS
    'Refuses ends of a hold that are none';

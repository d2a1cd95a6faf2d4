-- Who may run what: the last step of every deploy, in the transaction that
-- re-creates the functions. An endpoint is a function that takes an
-- azora.caller first and RETURNS azora.reply or azora.batch_reply; the list
-- below has what else NGINX calls by itself.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA
    azora, journal, identity, learning, ledger, market, court
    FROM PUBLIC, azora_app;

DO $$
DECLARE
    endpoint  regprocedure;
BEGIN
    FOR endpoint IN
        SELECT p.oid
        FROM pg_proc AS p
        WHERE p.pronamespace IN (
                  'azora'::regnamespace, 'identity'::regnamespace,
                  'learning'::regnamespace, 'ledger'::regnamespace,
                  'market'::regnamespace, 'court'::regnamespace,
                  'journal'::regnamespace)
          AND p.prorettype IN ('azora.reply'::regtype,
                               'azora.batch_reply'::regtype)
          AND (p.proargtypes[0] = 'azora.caller'::regtype
               OR p.proargtypes[0] = 'azora.caller[]'::regtype)
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO azora_app', endpoint);
    END LOOP;
END
$$;

GRANT EXECUTE ON FUNCTION
    azora.idempotency_begin(azora.caller),
    azora.generations(),
    azora.purge(int),
    azora.service_nodes(),
    identity.credential(text),
    identity.own_credential(uuid),
    identity.totp_secret(uuid),
    identity.challenge_secret(text),
    identity.api_key_holder(text),
    identity.compose_mail(json, text, text),
    identity.reset_subject(text),
    identity.revocations(bigint),
    ledger.consume_rewards(int),
    ledger.end_rates(int),
    ledger.expire_holds(int),
    ledger.settle_holds(int),
    ledger.purge_quotes(int),
    market.end_reviews(int),
    court.enacted_rules(),
    journal.chronicle_state(),
    journal.chronicle_entries(bigint, int),
    journal.chronicle_pick(uuid, int),
    journal.chronicle_commit(uuid, bigint, uuid[], text),
    journal.claim_jobs(text, int, int),
    journal.end_job(uuid, uuid, text, text, int, int, int),
    journal.count_jobs(),
    journal.purge_jobs(int),
    journal.fan_out_webhooks(int),
    journal.claim_webhooks(text, int, int),
    journal.end_webhook(uuid, uuid, text, text, int, int, int),
    journal.purge_deliveries(int),
    journal.events(text, bigint, int),
    journal.events_missed(text, bigint, uuid, text[], int)
    TO azora_app;

GRANT USAGE ON SCHEMA
    azora, identity, learning, ledger, market, court, journal
    TO azora_app;

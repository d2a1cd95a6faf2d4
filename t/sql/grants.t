# NGINX's role can run the endpoints and nothing else, and everything is as
# the rules for SQL say: owners, pinned search paths, comments, names, indexes.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my $schemas = "('azora', 'journal', 'identity', 'learning', 'ledger',
                'market', 'court')";

my @endpoints = qw(
    azora.idempotency_keep azora.list_service_nodes
    azora.remove_service_node azora.set_service_node
    court.constitution court.record_decision
    identity.begin_link identity.change_password identity.confirm_phone
    identity.confirm_totp identity.end_other_sessions identity.end_session
    identity.end_user_session identity.end_user_sessions identity.enrol_totp
    identity.erase_me identity.export_me identity.forgot_password
    identity.get_user identity.list_keys identity.list_logins
    identity.list_sessions identity.list_user_sessions identity.list_users
    identity.lock_user identity.login identity.logout identity.make_key
    identity.make_service identity.me identity.mfa identity.new_recovery_codes
    identity.oauth_login identity.refresh identity.register
    identity.remove_phone identity.remove_totp identity.remove_user_totp
    identity.reset_password identity.revoke_key identity.set_up_admin
    identity.unlink_login identity.unlock_user identity.update_me
    identity.update_user identity.verify_email
    journal.audit journal.change_webhook journal.create_webhook
    journal.delete_webhook journal.get_webhook journal.list_dead_letters
    journal.list_deliveries journal.list_webhooks journal.my_activity
    journal.my_receipt journal.replay_dead_letter journal.retry_delivery
    journal.rotate_webhook journal.test_webhook
    learning.enrol learning.get_attempt learning.get_course
    learning.get_enrolment learning.get_lesson learning.list_courses
    learning.set_progress learning.start_attempt learning.submit_attempt
    ledger.list_limits ledger.list_policies ledger.my_limits
    ledger.create_quote ledger.economy ledger.get_quote ledger.list_rates
    ledger.propose_rate ledger.split_transfer ledger.take_quote
    ledger.approve_operation ledger.get_operation ledger.list_operations
    ledger.propose_burn ledger.propose_credit_limit ledger.propose_freeze
    ledger.propose_mint ledger.propose_policy ledger.propose_reversal
    ledger.propose_tier ledger.propose_tier_limit ledger.propose_unfreeze
    ledger.reject_operation
    ledger.capture_hold ledger.create_hold ledger.get_hold
    ledger.get_transfer ledger.get_wallet ledger.list_currencies
    ledger.list_holds ledger.list_wallets ledger.release_hold
    ledger.reverse_transfer ledger.statement ledger.transfer
    ledger.transfer_batch ledger.transfer_list ledger.trial_balance
    market.accept_contract market.apply market.fund_milestone
    market.get_contract market.get_job market.list_applications
    market.list_contracts market.list_jobs market.offer_contract
    market.post_job market.refund_milestone market.release_milestone
    market.request_changes market.submit_milestone
);
my @others = qw(
    azora.generations azora.idempotency_begin azora.purge
    court.enacted_rules identity.api_key_holder identity.challenge_secret
    identity.compose_mail identity.credential identity.own_credential
    identity.reset_subject identity.revocations identity.totp_secret
    journal.chronicle_commit journal.chronicle_entries
    journal.chronicle_pick journal.chronicle_state journal.claim_jobs
    journal.claim_webhooks journal.count_jobs journal.end_job
    journal.end_webhook journal.events journal.events_missed
    journal.fan_out_webhooks
    journal.purge_deliveries journal.purge_jobs
    azora.service_nodes
    ledger.consume_rewards ledger.end_rates ledger.expire_holds
    ledger.settle_holds
    ledger.purge_quotes market.end_reviews
);

is_deeply(
    [map { $_->[0] } @{$sql->rows("
        SELECT p.oid::regproc::text
        FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname IN $schemas
          AND has_function_privilege('azora_app', p.oid, 'EXECUTE')
        ORDER BY 1")}],
    [sort @endpoints, @others],
    'azora_app can execute the endpoints, the tasks and the loaders only');

is_deeply($sql->rows("
    SELECT c.oid::regclass::text
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname IN $schemas AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
      AND (c.relkind <> 'S'
           AND has_table_privilege('azora_app', c.oid,
               'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES')
           OR c.relkind = 'S'
           AND has_sequence_privilege('azora_app', c.oid,
               'USAGE, SELECT, UPDATE'))"),
    [], 'it can touch no table and no sequence');

for my $table (map { $_->[0] } @{$sql->rows("
    SELECT c.oid::regclass::text
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname IN $schemas AND c.relkind IN ('r', 'v') ORDER BY 1")})
{
    eval { $sql->app->do("SELECT 1 FROM $table LIMIT 1") };
    is($sql->app->state, '42501', "reading $table is refused");
}

eval { $sql->app->do('CREATE TABLE public.mine (a int)') };
is($sql->app->state, '42501', 'it can make no table');
eval { $sql->app->do('CREATE TEMP TABLE mine (a int)') };
is($sql->app->state, '42501', 'and no temporary one');

is_deeply($sql->rows("
    SELECT p.oid::regprocedure::text FROM pg_proc AS p
    WHERE has_function_privilege('azora_app', p.oid, 'EXECUTE')
      AND p.pronamespace::regnamespace::text IN $schemas
      AND (p.prosecdef AND p.proconfig
           @> ARRAY['search_path=pg_catalog, pg_temp']) IS NOT TRUE"),
    [], 'what it can execute runs as its owner with a pinned search path');

is_deeply($sql->rows("
    SELECT p.oid::regprocedure::text
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname IN $schemas
      AND (has_function_privilege('public', p.oid, 'EXECUTE')
           OR p.proowner <> 'azora_owner'::regrole)
    UNION ALL
    SELECT c.oid::regclass::text
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname IN $schemas AND c.relowner <> 'azora_owner'::regrole"),
    [], 'azora_owner owns everything and the public nothing');

is($sql->value("SELECT rolcanlogin FROM pg_roles
                WHERE rolname = 'azora_owner'"), 0, 'nobody logs in as it');

is_deeply($sql->rows("
    SELECT c.oid::regclass || coalesce('.' || a.attname, '')
    FROM pg_class AS c
         JOIN pg_namespace AS n ON n.oid = c.relnamespace
         JOIN (SELECT attrelid, attnum, attname FROM pg_attribute
               WHERE attnum > 0 AND NOT attisdropped
               UNION ALL SELECT oid, 0, NULL FROM pg_class
               WHERE relkind = 'r') AS a ON a.attrelid = c.oid
    WHERE n.nspname IN $schemas AND c.relkind IN ('r', 'c')
      AND col_description(c.oid, a.attnum) IS NULL
      AND obj_description(c.reltype, 'pg_type') IS NULL
      AND NOT (a.attnum = 0 AND obj_description(c.oid) IS NOT NULL)"),
    [], 'every table and column has a comment');

is_deeply($sql->rows("
    SELECT p.oid::regprocedure::text
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname IN $schemas AND obj_description(p.oid) IS NULL"),
    [], 'so has every function');

is_deeply($sql->rows("
    SELECT k.conrelid::regclass || ' ' || k.conname
    FROM pg_constraint AS k
    WHERE k.contype = 'f'
      AND k.connamespace::regnamespace::text IN $schemas
      AND NOT EXISTS (
          SELECT 1 FROM pg_index AS i
          WHERE i.indrelid = k.conrelid
            AND (i.indkey::int2[])[0 : cardinality(k.conkey) - 1] = k.conkey)"),
    [], 'every foreign key is indexed');

is_deeply($sql->rows("
    SELECT k.conrelid::regclass || ' ' || k.conname
    FROM pg_constraint AS k
         JOIN pg_class AS c ON c.oid = k.conrelid
         JOIN pg_class AS f ON f.oid = k.confrelid
    WHERE k.contype = 'f' AND c.relnamespace <> f.relnamespace
      AND c.relnamespace::regnamespace::text IN $schemas"),
    [], 'no foreign key leaves its schema');

done_testing();

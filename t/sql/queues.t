# A table that was empty when a connection planned its functions, and fills
# before anybody has counted it, as queues do, lists of failed logins and of
# keys: nothing reads all of it for one item.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my $dbh = $sql->{dbh};
my $ama = $sql->register('ama');


# Rows of a table that are read while something is done, which is undone: those
# found by walking through all of it, and all.
sub walked { return rows_read('seq_tup_read', @_) }

sub fetched { return rows_read('seq_tup_read + t.idx_tup_fetch', @_) }

sub rows_read {
    my ($how, $table, $do) = @_;
    my $read = sub { $sql->value(qq{
        SELECT t.$how FROM pg_stat_xact_user_tables AS t
        WHERE t.relid = ?::regclass}, $table) };

    $dbh->begin_work;
    my $before = $read->();
    $do->();
    my $n = $read->() - $before;
    $dbh->rollback;
    return $n;
}


sub job {
    my ($kind, $lane) = @_;
    return $sql->rows(q{
        INSERT INTO journal.job (id, kind, lane, payload, lease, not_before,
                                 failures_max)
        VALUES (azora.uuid7(), ?, ?, '{}', gen_random_uuid(),
                now() + interval '1 hour', 3)
        RETURNING id, lease}, $kind, $lane)->[0];
}


sub end {
    my ($function, $outcome, $job) = @_;
    return $sql->value("SELECT $function(?, ?, ?, '', 0, 0, 1)", @$job,
                       $outcome);
}


sub handled {
    my $entry = $sql->value(
        q{SELECT journal.append('test.queued', ?, '{}')}, $ama);
    return $sql->value(q{SELECT journal.handled('test', ?)}, $entry);
}


# Six tries in vain, how long that makes one wait, and then it goes well.
sub log_in {
    my ($email) = @_;
    $sql->value('SELECT identity.login_failed(?, ?)', $email, '192.0.2.1')
        for 1 .. 6;
    my $wait = $sql->value('SELECT identity.login_wait(?, ?)', $email,
                           '192.0.2.1');
    $sql->value('SELECT identity.login_succeeded(?, ?)', $email,
                '192.0.2.1');
    return $wait;
}


# A request with a key; its repeat has the stored status in the message.
sub keyed {
    my ($key) = @_;
    my $sent = eval { $sql->value(q{
        SELECT k.status
        FROM azora.idempotency_begin(ROW(?::uuid, NULL, '{}', 'r', NULL, 'a',
                                     'POST /x', ?, 'h')::azora.caller) AS c
             CROSS JOIN LATERAL azora.refusal(409, 'conflict', '') AS r
             CROSS JOIN LATERAL azora.idempotency_keep(c, r) AS k}, $ama,
        $key) };
    return $sent // $dbh->state;
}


# Somebody asks for an account, gets a mail and follows its link.
sub register {
    my ($name) = @_;
    my $hash = unpack 'H*', pack 'A32', $name;
    $sql->value(q{SELECT status FROM identity.begin_registration(?, ?, ?)},
                "$name\@example.org", '$argon2id$', $name);
    my $sent = $sql->value(q{
        SELECT m.template FROM identity.registration_mail(
            (SELECT (j.payload ->> 'registration')::uuid FROM journal.job AS j
             WHERE j.kind = 'mail' ORDER BY j.number DESC LIMIT 1), ?)
            AS m}, $hash);
    $sql->value(q{SELECT identity.finish_registration(
        ROW(NULL, NULL, '{}', 'r', NULL, 'a', 'POST /x', NULL, NULL)
            ::azora.caller, decode(?, 'hex'))}, $hash);
    return $sent;
}


# given queues that were empty when all was planned
$sql->value(q{SELECT journal.subscribe('test', 'test.queued')});
my $hook = $sql->value(q{
    INSERT INTO journal.webhook (id, account, url, types, key, since)
    VALUES (azora.uuid7(), ?, 'https://example.org/', '{}', 'k', 0)
    RETURNING id}, $ama);
$dbh->do("VACUUM ANALYZE journal.$_")
    for qw(job delivery webhook webhook_delivery);
$dbh->do("VACUUM ANALYZE $_")
    for qw(identity.login_failure identity.registration azora.idempotency);

for (1 .. 10) {
    end('journal.end_job', $_, job('test')) for qw(done rejected);
    end('journal.end_webhook', $_, job('webhook', $hook)) for qw(done failed);
    $sql->rows(q{SELECT * FROM journal.claim_webhooks('webhook', 48, 1)});
    handled();
    log_in('ama@example.org');
    keyed("warm-$_");
    keyed('warm-1');
    register("warm$_");
}

# when they fill
$dbh->do(q{
    INSERT INTO journal.job (id, kind, lane, payload, failures_max)
    SELECT azora.uuid7(), k.kind, k.lane, '{}', 3
    FROM (VALUES ('test', NULL), ('webhook', ?::uuid)) AS k (kind, lane),
         generate_series(1, 2000)}, undef, $hook);
$sql->value(q{SELECT count(journal.append('test.queued', ?, '{}'))
              FROM generate_series(1, 2000)}, $ama);

$dbh->do(q{
    INSERT INTO identity.login_failure (principal, address, failures)
    SELECT sha256(g::text::bytea), '', 1 FROM generate_series(1, 2000) AS g});

$dbh->do(q{
    INSERT INTO azora.idempotency (subject, route, key, payload_hash)
    SELECT gen_random_uuid(), 'POST /x', g, 'h'
    FROM generate_series(1, 2000) AS g});

$dbh->do(q{
    INSERT INTO identity.registration (id, email, name, hash)
    SELECT i.id, i.id || '@example.org', 'X', sha256(i.id::text::bytea)
    FROM unnest(azora.uuid7_series(now() - interval '1 minute', 2000))
         AS i (id)});

# then
for my $outcome (qw(done failed rejected)) {
    is(walked('journal.job', sub {
        isnt(end('journal.end_job', $outcome, job('test')), 'lost', $outcome);
    }), 0, 'the end of a job is found');
}

for my $outcome (qw(done failed)) {
    is(walked('journal.job', sub {
        isnt(end('journal.end_webhook', $outcome, job('webhook', $hook)),
             'lost', $outcome);
    }), 0, 'so is that of a delivery');
}

is(walked('journal.job', sub {
    $sql->rows(q{SELECT * FROM journal.claim_webhooks('webhook', 48, 1)});
}), 0, 'and what is to be delivered next');

is(walked('journal.delivery', sub {
    ok(handled(), 'an event is handled');
}), 0, 'and is found among those that wait');

is(walked('identity.login_failure', sub {
    is(log_in('ama@example.org'), 2, 'who fails waits');
}), 0, 'and is found among those who fail');

is(walked('azora.idempotency', sub {
    is(keyed('new'), 409, 'a key is kept');
}), 0, 'and found among others');

is(walked('azora.idempotency', sub {
    $dbh->do('SAVEPOINT repeat');
    is(keyed('warm-2'), 'AZ000', 'a repeat is answered');
    $dbh->do('ROLLBACK TO repeat');
}), 0, 'and its key found, too');

is(walked('identity.registration', sub {
    is(register('esi'), 'email-verify', 'somebody wants an account');
}), 0, 'and is found among all who do');

# given entries that were counted while most of them waited for their numbers
$dbh->do('ANALYZE journal.entry');
$sql->number_entries;

# then, when none waits, the log is not read for that
is(walked('journal.entry', sub {
    is($sql->rows('SELECT pending FROM journal.chronicle_state()')->[0][0], 0,
       'no entry waits');
}), 0, 'the log says how many entries wait');

is(walked('journal.entry', sub {
    is(@{ $sql->rows(q{SELECT * FROM journal.chronicle_pick(?, 10)}, $ama) },
       0, 'none is picked');
}), 0, 'and finds the next ones');

# counted while none waited, and many do: a batch reads no more than itself
$dbh->do('ANALYZE journal.entry');
$sql->value(q{
    SELECT cardinality(journal.append_batch('test.queued',
        array_agg(NULL::uuid), array_agg('{}'::json), array_agg(NULL::text)))
    FROM generate_series(1, 3000)});

cmp_ok(fetched('journal.entry', sub {
    my $picked = $sql->rows(q{
        SELECT size, array_agg(id) FROM journal.chronicle_pick(?, 100)
        GROUP BY size}, $ama)->[0];
    ok($sql->value(q{SELECT journal.chronicle_commit(?, ?, ?, 'note')}, $ama,
                   @$picked), 'a hundred are picked and numbered');
}), '<', 1000, 'and no others are looked at');

# what somebody missed in the last hour is found without all they ever did
my $efua = $sql->register('efua');
$sql->value(q{
    WITH old AS (
        SELECT now() - interval '1 day' AS at,
               unnest(azora.uuid7_series(now() - interval '1 day', 9000)) AS id
    ), entered AS (
        INSERT INTO journal.entry (id, type, at, payload_hash)
        SELECT o.id, 'test.old', o.at, sha256('') FROM old AS o
    )
    INSERT INTO journal.payload (entry, salt, body, subject, created_at)
    SELECT o.id, sha256(''), '{}', ?, o.at FROM old AS o
    RETURNING 1}, $efua);
$sql->number_entries;
my $first = $sql->value('SELECT t.size FROM journal.tree AS t');
$sql->value(q{
    SELECT cardinality(journal.append_batch('test.new',
        array_agg(CASE g WHEN 4500 THEN ?::uuid END),
        array_agg('{}'::json), array_agg(NULL::text)))
    FROM generate_series(1, 5000) AS g}, $efua);
$sql->number_entries;
$dbh->do("ANALYZE journal.$_") for qw(entry payload);

for my $page (
    [q{SELECT event IS NOT NULL
       FROM journal.events_missed('test', ?, ?, NULL, 10)}, 'replayed'],
    [q{SELECT item IS NOT NULL
       FROM journal.audit_page(subject => $2, type => NULL, "from" => NULL,
                               "to" => NULL, first => $1::bigint,
                               upto => $1 + 5000::bigint,
                               size => 10)}, 'audited'],
) {
    my ($query, $what) = @$page;

    cmp_ok(fetched('journal.payload', sub {
        is_deeply($sql->rows($query, $first, $efua), [[1]],
                  "one is $what");
    }), '<', 100, 'and what is long past is not read');
}

done_testing();

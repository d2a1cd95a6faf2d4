#!/usr/bin/env perl

# What may happen to the sequencer: workers killed while they number, reloads,
# PostgreSQL gone, two nodes on one database, a database restored to a time
# before what is published.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Chronicle qw(append audit is_numbered published vkey_file verify);
use Azora::Load;
use Azora::Process qw(poll_until slurp spew);
use Azora::Test;
use Test::More;
use Time::HiRes qw(sleep time);

my $azora = Azora::Test->start(
    workers => 2,
    postgres => 'own',
    expect_alert => qr/process \d+ exited on signal 9|open socket #\d+ left/,
);

my $subject = $azora->user('amina')->{id};

# Entries in small transactions, until it is stopped
sub writers {
    return Azora::Load->start($azora, 2, sub {
        my ($n, $i) = @_;
        my $dbh = eval { $azora->dbh } or do { sleep 0.1; return 'away' };
        my $done = eval { append($azora, $subject, 7, $dbh); 1 };
        sleep 0.005;
        return $done ? 'done' : 'failed';
    });
}

sub is_sound {
    my ($node, $name) = @_;

    ok is_numbered($node, 15), "$name: all that was committed is published"
        or diag $node->error_log =~ s/.*\[notice\].*\n//gr;
    is $node->value('SELECT count(DISTINCT seq) FROM journal.entry'),
       $node->value('SELECT max(seq) + 1 FROM journal.entry'),
       "$name: without a gap";
    my ($status, $said) = audit($node);
    is $status, 0, "$name: the log is whole" or diag $said;
}

# Kills as many workers as there are, each wherever it is just then
sub kill_all {
    my ($node) = @_;
    my %old = map { $_ => 1 } $node->worker_pids;

    kill KILL => keys %old;
    poll_until(20 * $node->patience, sub {
        return 2 <= grep { !$old{$_} } $node->worker_pids;
    }) or die "no new workers:\n", $node->error_log;
}

ok is_numbered($azora), 'it works';

my $load = writers();

for (1 .. 12) {
    sleep 0.1 + rand 0.4;
    kill_all($azora);
}

$load->stop;
is_sound($azora, 'after 12 times kill -9');

$load = writers();
my $slowest = 0;

for (1 .. 4) {
    kill HUP => $azora->master_pid;
    my ($end, $size, $since) = (time + 3 * $azora->patience, 0, time);

    while (time < $end) {
        my $new = published($azora);

        if ($new != $size) {
            $slowest = time - $since if time - $since > $slowest;
            ($size, $since) = ($new, time);
        }

        sleep 0.01;
    }

    $slowest = time - $since if time - $since > $slowest;
}

$load->stop;
is_sound($azora, 'after 4 reloads');
note sprintf 'the longest time without a new checkpoint: %.0f ms',
    1000 * $slowest;
cmp_ok $slowest, '<', 1.5 * $azora->patience, 'it goes on within a second';

$load = writers();

for my $mode (qw(immediate fast)) {
    $azora->stop_postgres($mode);
    sleep 0.5;
    $azora->start_postgres;
    poll_until(10 * $azora->patience, sub { eval { $azora->dbh } });
    sleep 1;
}

$load->stop;
$azora->wait_ready;
is_sound($azora, 'after PostgreSQL went twice');

# Another node with the same key and database, and files of its own
my $other = Azora::Test->start(
    workers => 2,
    expect_alert => qr/process \d+ exited on signal 9|open socket #\d+ left/,
    edit => sub {
        my $dir = $azora->{dir};
        s{[^"\s;]*/secrets/postgres\.conf}{$dir/secrets/postgres.conf}g;
        s{(azora_chronicle_key\s+)"[^"]*"}{$1"$dir/keys/chronicle.key"};
    });

my $size = published($azora);
ok poll_until(10 * $azora->patience, sub { published($other) == $size }),
    'a new node copies the log';
is $other->get('/chronicle/vkey')->{body}, slurp(vkey_file($azora)),
    'under the same key';

$load = writers();

for my $turn (1 .. 4) {
    sleep 0.5;
    kill_all($turn % 2 ? $azora : $other);
}

$load->stop;
is_sound($azora, 'two nodes');
ok poll_until(5 * $azora->patience,
              sub { published($other) == published($azora) }),
    'both publish the same size';
is slurp("$other->{dir}/chronicle/checkpoint"),
   slurp("$azora->{dir}/chronicle/checkpoint"), 'and the same note';
is +(verify('log', '--key', vkey_file($azora), '--remembered',
            "$azora->{dir}/chronicle/checkpoint",
            "$other->{dir}/chronicle"))[0], 0, 'out of the same files';

# What a restore would do to the tables
$other->stop;
my %was = %{ ($azora->sql('SELECT size, checkpoint FROM journal.tree'))[0] };
append($azora, $subject, 10);
ok is_numbered($azora), 'ten more';
my $published = slurp("$azora->{dir}/chronicle/checkpoint");
my ($now) = $azora->sql('SELECT size, checkpoint FROM journal.tree');
$azora->sql('CREATE TABLE public.kept AS
             SELECT id, seq FROM journal.entry');

my $mark = $azora->mark;
my $restored = $azora->dbh;
$restored->begin_work;
$restored->do('UPDATE journal.tree SET size = ?, checkpoint = ?', undef,
              $was{size}, $was{checkpoint});
$restored->do('UPDATE journal.entry SET seq = NULL WHERE seq >= ?', undef,
              $was{size});
$restored->commit;

ok $azora->wait_log(qr/\[crit\].*or published: PostgreSQL is behind/, $mark),
    'a database behind the checkpoint is refused';
append($azora, $subject, 3);
sleep 1;
is $azora->value('SELECT size FROM journal.tree'), $was{size},
    'nothing is numbered';
is slurp("$azora->{dir}/chronicle/checkpoint"), $published,
    'nor published';

my @answers = map { $azora->get('/readyz')->{status} } 1 .. 20;
is_deeply [grep { $_ != 503 } @answers], [], 'every worker says not ready';
like $azora->get('/metrics')->{body}, qr/^chronicle_refused 1$/m,
    'and the metric says why';

kill_all($azora);
ok $azora->wait_log(qr/(?:\[crit\].*nothing is signed.*){2}/s, $mark),
    'also after a restart';
is $azora->value('SELECT size FROM journal.tree'), $was{size},
    'which changes nothing';

# A later backup has what was published
$restored = $azora->dbh;
$restored->begin_work;
$restored->do('UPDATE journal.entry AS e SET seq = k.seq
               FROM public.kept AS k WHERE k.id = e.id');
$restored->do('UPDATE journal.tree SET size = ?, checkpoint = ?', undef,
              $now->{size}, $now->{checkpoint});
$restored->commit;
$azora->sql('DROP TABLE public.kept');
$azora->wait_ready(30);
is_sound($azora, 'after the right restore');
like $azora->get('/metrics')->{body}, qr/^chronicle_refused 0$/m,
    'and the metric agrees';

# Another key for the same log
my $key = "$azora->{dir}/keys/chronicle.key";
my $was = slurp(vkey_file($azora)) =~ s/\s+\z//r;
my $old = "$azora->{dir}/old";
spew($old, slurp("$azora->{dir}/chronicle/checkpoint"));
rename $key, "$key.retired";
$azora->{opts}{http} = qq{azora_chronicle_previous "$was";};
$azora->write_configuration;
$azora->reload;
ok poll_until(5 * $azora->patience, sub {
    return slurp(vkey_file($azora)) !~ /\A\Q$was\E/;
}), 'a new key is published';
append($azora, $subject, 5);
is_sound($azora, 'after a new key');
is +(audit($azora, '--remembered', $old))[0], 1, 'the old note needs its key';
is +(audit($azora, '--remembered', $old, '--key', $was))[0], 0,
    'with both keys the log is one';

# A disk that cannot be written, for a while; root could write it
if (!$ENV{SANITIZE}) {
    chmod 0555, "$azora->{dir}/chronicle";
    chown 0, 0, "$azora->{dir}/chronicle" if $> == 0;
    $mark = $azora->mark;
    append($azora, $subject, 1);
    ok $azora->wait_log(qr/\[crit\].*cannot write/, $mark),
        'files that cannot be written are reported';
    chown +(getpwnam 'www-data')[2, 3], "$azora->{dir}/chronicle" if $> == 0;
    chmod 0755, "$azora->{dir}/chronicle";
    is_sound($azora, 'after the disk');
}

done_testing;

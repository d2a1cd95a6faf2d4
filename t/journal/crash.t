#!/usr/bin/env perl

# kill -9 at each step of the sequencer, one after the other: while it picks,
# before and after its commit, and at every single write, fsync and rename of
# the files, writes half done.  The next worker goes on and the log is whole.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Chronicle qw(append audit is_numbered published);
use Azora::Process qw(alive poll_until run_or_die slurp spew);
use Azora::Test;
use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep);

plan skip_all => 'sanitizers want to be loaded first' if $ENV{SANITIZE};

my $shim = tempdir(CLEANUP => 1);
chmod 0777, $shim;
run_or_die('gcc', '-shared', '-fPIC', '-Wall', '-Werror', '-o',
           "$shim/crash.so", "$FindBin::RealBin/crash.c", '-ldl');

my $azora = Azora::Test->start(
    workers => 1,
    env => { LD_PRELOAD => "$shim/crash.so", AZORA_CRASH => "$shim/when" },
    expect_alert => qr/process \d+ exited on signal 9|open socket #\d+ left/,
);

my $long = 20 * $azora->patience;
my $subject = $azora->user('amina')->{id};

sub worker { return ($azora->worker_pids)[0] || 0 }

# There is another worker than this one
sub is_replaced {
    my ($old) = @_;
    return poll_until($long, sub { my $pid = worker(); $pid && $pid != $old });
}

sub is_sound {
    my ($name) = @_;

    my $published = is_numbered($azora, 20);
    my $entries = $azora->value('SELECT count(*) FROM journal.entry');
    my $numbers = $azora->value('SELECT count(DISTINCT seq)
        FROM journal.entry WHERE seq >= 0 AND seq < ?', $entries);
    my ($status, $said) = audit($azora);

    ok $published && $numbers == $entries && $status == 0,
        "$name: published, without a gap, and whole" or diag $said;
}

# How many statements of this function wait for a lock
sub waiting {
    my ($function) = @_;
    return $azora->value(q{
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
          AND query LIKE '%' || ? || '%' AND pid <> pg_backend_pid()},
        $function);
}

ok is_numbered($azora), 'it works';

# Picking waits for the row of the log, which somebody holds
{
    my $held = $azora->dbh;
    $held->begin_work;
    $held->do('SELECT FROM journal.tree FOR UPDATE');
    append($azora, $subject, 3);
    ok poll_until($long, sub { waiting('chronicle_pick') }), 'it picks';
    my $old = worker();
    kill KILL => $old;
    $held->rollback;
    ok is_replaced($old), 'killed';
    is_sound('while it picks');
}

# Numbering waits for an entry's row; then the backend goes on without the
# worker, or is ended too
for my $fate ('commits', 'rolls back') {
    my $size = $azora->value('SELECT size FROM journal.tree');
    my $held = $azora->dbh;
    my $quiet = $azora->dbh;

    # the entries appear while nobody picks, and one is held then
    $quiet->begin_work;
    $quiet->do('SELECT FROM journal.tree FOR UPDATE');
    append($azora, $subject, 3);
    $held->begin_work;
    $held->do('SELECT FROM journal.entry WHERE seq IS NULL FOR UPDATE');
    $quiet->rollback;
    ok poll_until($long, sub { waiting('chronicle_commit') }), 'it numbers';

    my $old = worker();
    kill KILL => $old;
    $azora->sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE datname = current_database()
                    AND query LIKE '%chronicle_commit%'
                    AND pid <> pg_backend_pid()})
        if $fate eq 'rolls back';
    poll_until($long, sub { waiting('chronicle_commit') == 0 })
        if $fate eq 'rolls back';
    my $before = $azora->value('SELECT size FROM journal.tree');
    $held->rollback;
    ok is_replaced($old), 'killed';
    is $before, $size, 'nothing was committed yet';
    is_sound("its transaction $fate");
}

# Each batch crosses a tile's end, which changes every kind of file
my $fill = 250 - $azora->value('SELECT count(*) FROM journal.entry');
append($azora, $subject, $fill);
is_sound('nearly a full tile');

my ($steps, $step) = (0, 0);

for ($step = 1; $step <= 60; $step++) {
    my $old = worker();
    spew("$shim/when", "$step\n");
    chmod 0666, "$shim/when";
    append($azora, $subject, 256);

    poll_until($long, sub { worker() != $old || is_numbered($azora, 0) });
    last if worker() == $old;
    $steps++;
    is_replaced($old);
    is_sound("change $step of the files");
}

ok -e "$shim/when", 'until there is no step left to die at';
unlink "$shim/when";
cmp_ok $steps, '>=', 12, "$steps changes of a batch";
is_sound('at the end');

done_testing;

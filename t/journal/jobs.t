#!/usr/bin/perl

# Jobs: done at least once, failures counted and deaths of workers not, given
# up after three, and begun anew by an administrator.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until);
use Azora::Test;
use Azora::Unit;
use Test::More;
use Time::HiRes qw(sleep time);

my $so = Azora::Unit->new->build("$Azora::Test::ROOT/t/core/jobs.c")
    or die "t/core/jobs.c does not compile\n";
my $azora = Azora::Test->start(
    workers => 2, main => "load_module $so;\n",
    expect_alert => qr/exited on signal 9/);

my $admin = $azora->user('adia', roles => ['admin']);
my $amina = $azora->user('amina');


sub enqueue {
    my ($do, $name) = @_;
    return $azora->value(<<'SQL', $do, $name || '');
SELECT journal.enqueue('probe', json_build_object('do', ?::text, 'name',
                                                  ?::text))
SQL
}


# How often the handler saw it, by its name.
sub begun {
    my ($name) = @_;
    my $log = $azora->error_log;
    return scalar(() = $log =~ /probe: \d+ \{[^}]*"\Q$name\E"/g);
}


sub job {
    my ($id) = @_;
    my ($row) = $azora->sql('SELECT *, not_before - now() > $2::interval AS
        far FROM journal.job WHERE id = $1', $id, '1 second');
    return $row;
}


sub soon { return poll_until(10 * $azora->patience, $_[0]) }


# As if the time had passed.
sub hurry {
    my ($id) = @_;
    $azora->sql('UPDATE journal.job SET not_before = now() WHERE id = ?', $id);
}


sub letters {
    my ($query) = @_;
    my $r = $azora->get('/v1/admin/dead-letters' . ($query || ''),
                        token => $admin->{token});
    return @{ $r->{json}{items} };
}


sub replay {
    my ($id, %more) = @_;
    return $azora->post("/v1/admin/dead-letters/$id/replay",
                        token => $admin->{token}, %more);
}


subtest 'what is done is gone' => sub {
    my $began = time;
    my $id = enqueue('done', 'first');
    ok soon(sub { !job($id) }), 'it is done';
    cmp_ok time - $began, '<', 0.9 * $azora->patience, 'at once';
    is begun('first'), 1, 'once';

    my @ids = map { enqueue('wait', "many-$_") } 1 .. 12;
    my $most = 0;
    ok soon(sub {
        my $n = $azora->value('SELECT count(*) FROM journal.job
                               WHERE lease IS NOT NULL');
        $most = $n if $n > $most;
        return !$azora->value('SELECT count(*) FROM journal.job');
    }), 'many are done';
    cmp_ok $most, '<=', 4, 'not more at a time than the kind allows';
    is 12, (grep { begun("many-$_") == 1 } 1 .. 12), 'each once';
};


subtest 'three failures' => sub {
    my $id = enqueue('fail', 'bad');

    for my $n (1 .. 3) {
        ok soon(sub { job($id)->{failures} == $n }), "failure $n is counted";
        last if $n == 3;
        my $job = job($id);
        is $job->{state}, 'waiting', 'it waits';
        is $job->{lease}, undef, 'for nobody in particular';
        ok $job->{far} || $n == 1, 'and not a moment only';
        hurry($id);
    }

    is job($id)->{state}, 'dead', 'the third is the last';
    is job($id)->{last_error}, 'it failed', 'what it said is kept';
    is begun('bad'), 3, 'it was tried as often';

    my ($letter) = letters();
    is $letter->{consumer}, 'probe', 'an administrator sees it';
    is $letter->{source}, 'job', 'as a job';
    is $letter->{error}, 'it failed', 'with its error';
    is $letter->{failures}, 3, 'and its failures';
    is letters('?consumer=mail'), 0, 'others are asked for by their name';
    is letters('?consumer=probe'), 1, 'as this one is';

    for my $path ('/v1/admin/dead-letters') {
        is $azora->get($path, token => $amina->{token})->{status}, 403,
            'it is for administrators only';
        is $azora->get($path)->{status}, 401, 'and for nobody else';
        is $azora->get("$path?cursor=x", token => $admin->{token})->{status},
            400, 'a cursor of one\'s own making';
    }

    # mended
    $azora->sql('UPDATE journal.job SET payload = ? WHERE id = ?',
                '{"do":"wait","name":"mended"}', $id);
    is $azora->post("/v1/admin/dead-letters/$letter->{id}/replay",
                    token => $amina->{token})->{status}, 403,
        'not everybody may replay';
    my $r = replay($letter->{id}, key => 'again');
    is $r->{status}, 200, 'an administrator may';
    ok $r->{json}{replayed_at}, 'when is told';
    is replay($letter->{id}, key => 'again')->{body}, $r->{body},
        'a repeated request has the same answer';
    ok soon(sub { !job($id) }), 'and now it is done';
    is begun('mended'), 1, 'once';
    is letters(), 0, 'nothing is left';
    is $azora->value(<<'SQL', $letter->{id}), 1, 'it is journaled';
SELECT count(*) FROM journal.entry AS e JOIN journal.payload AS p
       ON p.entry = e.id
WHERE e.type = 'letter.replayed' AND p.body ->> 'letter' = ?
SQL
    is replay('00000000-0000-7000-8000-000000000000')->{status}, 404,
        'no such letter';
};


subtest 'no and not yet' => sub {
    my $id = enqueue('reject', 'never');
    ok soon(sub { job($id)->{state} eq 'dead' }), 'what cannot succeed';
    is begun('never'), 1, 'is not tried again';

    my ($letter) = letters();
    is replay($letter->{id})->{status}, 200, 'it is replayed all the same';
    is replay($letter->{id})->{json}{type}, '/problems/already-replayed',
        'but a letter only once';
    ok soon(sub { letters() == 1 }), 'and has a new letter';
    isnt +(letters())[0]{id}, $letter->{id}, 'of its own';

    $id = enqueue('later', 'busy');
    ok soon(sub { job($id)->{failures} == 1 }), 'who asks for patience';
    cmp_ok $azora->value('SELECT extract(epoch FROM not_before - now())
        FROM journal.job WHERE id = ?', $id), '>', 7000, 'gets it';
    $azora->sql('DELETE FROM journal.job');
};


subtest 'a worker that dies' => sub {
    my $id = enqueue('hold', 'held');
    ok soon(sub { begun('held') == 1 }), 'a worker holds it';
    my $lease = job($id)->{lease};

    kill KILL => $azora->worker_pids;
    $azora->wait_ready;
    ok soon(sub { begun('held') >= 2 }), 'when it is dead another begins';
    is job($id)->{failures}, 0, 'and no failure is counted';
    isnt job($id)->{lease}, $lease, 'under a lease of its own';

    is $azora->value(<<'SQL', $id, $lease), 'lost', 'the dead cannot end it';
SELECT journal.end_job(?, ?, 'done', '', 0, 0, 1)
SQL
    ok job($id), 'it is still there';
    is $azora->value(<<'SQL', $id, job($id)->{lease}), 'done', 'who has it can';
SELECT journal.end_job(?, ?, 'done', '', 0, 0, 1)
SQL
    is job($id), undef, 'and it is gone';
};


subtest 'a handler that leaves its jobs' => sub {
    my @ids = map { enqueue('leave', "left $_") } 1 .. 4;
    ok soon(sub { 4 == grep { begun("left $_") } 1 .. 4 }),
        'as many as may run at once';
    ok soon(sub { !grep { job($_) } @ids }),
        'they are claimed again, though no end of them was reported';
};


subtest 'a handler that takes longer than the lease' => sub {
    my $id = enqueue('hold', 'slow');
    ok soon(sub { begun('slow') == 1 }), 'it is under way';

    # more often than the kind may run at once
    for my $n (1 .. 6) {
        my $lease = job($id)->{lease};
        hurry($id);
        $azora->sql('SELECT journal.wake_jobs()');
        ok soon(sub { job($id)->{lease} ne $lease }),
            "its lease is renewed, time $n";
    }

    is begun('slow'), 1, 'and it is not begun twice by one node';
    my $other = enqueue('done', 'beside it');
    ok soon(sub { !job($other) }), 'the kind still takes others';
    is job($id)->{failures}, 0, 'no failure is counted';
    is scalar(() = $azora->error_log =~ /job \Q$id\E \(probe\) takes longer/g),
        1, 'the log says so once';
    $azora->sql('DELETE FROM journal.job');

    my $late = enqueue('late', 'late');
    ok soon(sub { !job($late) }), 'one that ends after its first lease';
    is begun('late'), 1, 'is done, and was done once';
};


subtest 'two who claim' => sub {
    # a kind that nobody here handles
    $azora->sql("SELECT journal.enqueue('other', '{}') FROM generate_series(1,
                 10)");
    my ($one, $two) = ($azora->dbh, $azora->dbh);
    $one->begin_work;
    my $claim = "SELECT id FROM journal.claim_jobs('other', 6, 60000)";
    my @first = map { @$_ } @{ $one->selectall_arrayref($claim) };
    my @second = map { @$_ } @{ $two->selectall_arrayref($claim) };
    $one->commit;
    my %all = map { $_ => 1 } @first, @second;
    is "@{[scalar @first, scalar @second, scalar keys %all]}", '6 4 10',
        'never the same ones, without waiting for each other';
    is @{ $one->selectall_arrayref($claim) }, 0, 'nor later';
    $_->disconnect for $one, $two;
    $azora->sql("DELETE FROM journal.job WHERE kind = 'other'");
};


subtest 'events of consumers' => sub {
    my $entry = $azora->value("SELECT journal.append('probe.event', NULL,
                                                     '{}')");
    $azora->sql("INSERT INTO journal.delivery (consumer, entry)
                 VALUES ('test.consumer', ?)", $entry);
    $azora->sql("SELECT journal.failed('test.consumer', ?, 'no')", $entry)
        for 1 .. 3;

    my ($letter) = letters('?consumer=test.consumer');
    is $letter->{source}, 'event', 'a dead event is a letter too';
    is "$letter->{event} $letter->{type}", "$entry probe.event", 'which one';
    is replay($letter->{id})->{status}, 200, 'it is replayed in the same way';
    is_deeply [$azora->sql('SELECT state, failures FROM journal.delivery
                            WHERE entry = ?', $entry)],
        [{ state => 'waiting', failures => 0 }], 'and waits again';
};


subtest 'counted' => sub {
    enqueue('reject', 'counted');
    # leased for longer than the test lasts, as a worker would
    $azora->sql("SELECT journal.enqueue('probe', '{\"do\":\"hold\"}')");
    $azora->sql("UPDATE journal.job SET lease = gen_random_uuid(),
        not_before = now() + interval '1 minute'
        WHERE payload ->> 'do' = 'hold'");
    ok poll_until(15 * $azora->patience, sub {
        my $page = $azora->get('/metrics')->{body};
        return $page =~ /^nexus_jobs\{queue="probe",state="dead"\} 1$/m
            && $page =~ /^nexus_jobs\{queue="probe",state="running"\} 1$/m
            && $page =~ /^nexus_jobs\{queue="consumers",state="waiting"\} 1$/m
            && $page =~ /^nexus_dead_letters_total [1-9]/m;
    }), 'jobs, events and letters' or diag grep { /nexus/ }
        map { "$_\n" } split /\n/, $azora->get('/metrics')->{body};
};


subtest 'a reload' => sub {
    $azora->sql('DELETE FROM journal.job');
    my @old = $azora->worker_pids;
    my @ids = map { enqueue('wait', "reload-$_") } 1 .. 20;
    $azora->reload;
    push @ids, map { enqueue('wait', "reload-$_") } 21 .. 30;
    ok soon(sub { !$azora->value('SELECT count(*) FROM journal.job') }),
        'nothing is lost';
    is 30, (grep { begun("reload-$_") == 1 } 1 .. 30), 'and nothing repeated';
};


done_testing;

END { unlink $so if $so }

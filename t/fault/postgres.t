# PostgreSQL disappears in every way it can, under load.  Whatever a client
# was told is true: 200 is there once, "nothing was done" is not there.

use strict;
use warnings;

use Azora::Probe qw(together workload);
use Azora::Process qw(alive poll_until);
use Azora::Test;
use Test::More;
use Time::HiRes qw(sleep time);

my $LANES = <<'END';
azora_lane read  connections=2 queue=256 timeout=2s;
azora_lane write connections=4 queue=256 timeout=2s;
azora_lane batch connections=1 queue=256 timeout=2s;
END

my $azora = Azora::Probe->start(workers => 2, postgres => 'own',
                                http => $LANES);


# 5 of 8 write, 1 in batches; the rest reads
sub mixed {
    my ($n) = @_;

    return ('GET', "/probe/read?n=$n") if $n % 8 < 2;
    return ('POST', $n % 8 == 2 ? '/probe/batch' : '/probe/write',
            json => { n => $n });
}


sub writes { return grep { $_->[0] % 8 >= 2 } @_ }


sub outcomes {
    my %count;
    $count{ join ' ', grep { length } @$_[1, 2] }++ for @_;
    return \%count;
}


# What the clients were told against what the table holds.
sub true_answers {
    my ($name, @answers) = @_;
    my %times = map { $_->{n} => $_->{times} } $azora->sql(
        'SELECT n, count(*) AS times FROM probe.item GROUP BY n');
    my (@lost, @denied, @twice);

    for (@answers) {
        my ($n, $status, $problem) = @$_;
        my $times = $times{$n} || 0;

        push @lost, $n if $status eq '200' && $times != 1;
        push @denied, $n
            if $problem eq 'temporarily-unavailable' && $times != 0;
        push @twice, $n if $times > 1;
    }

    is_deeply(\@lost, [], "$name: what was confirmed is there");
    is_deeply(\@denied, [], "$name: what was denied is not");
    is_deeply(\@twice, [], "$name: nothing is there twice");
}


sub ready {
    my ($name) = @_;

    ok(poll_until(20 * $azora->patience, sub {
        my @answers = eval { together($azora,
            map { ['GET', "/probe/read?n=$_"],
                  ['POST', '/probe/write', json => { n => 1 }],
                  ['POST', '/probe/batch', json => { n => 1 }] } 1 .. 6) };
        return @answers && !grep { $_->{status} != 200 } @answers;
    }), "$name: it recovers by itself");
    $azora->sql('DELETE FROM probe.item');
}


# Backends of the lanes, by their applications' name.
sub backends {
    my ($pattern) = @_;
    return map { $_->{pid} } $azora->sql(
        'SELECT pid FROM pg_stat_activity WHERE application_name LIKE ?',
        $pattern || 'azora/%');
}


subtest 'connections are cut again and again' => sub {
    my $stop = workload($azora, 8, \&mixed);

    for my $round (1 .. 15) {
        $azora->sql('SELECT pg_terminate_backend(?)', $_) for backends();
        sleep 0.1;
    }

    my @answers = $stop->();
    my $count = outcomes(@answers);
    my $reads = outcomes(grep { $_->[0] % 8 < 2 } @answers);

    true_answers('cut', writes(@answers));
    ready('cut');
    diag(join ', ', map { "$_: $count->{$_}" } sort keys %$count);
    delete @$count{200, '503 outcome-unknown', '503 temporarily-unavailable'};
    is_deeply($count, {}, 'clients get an answer or a clear problem');
    is_deeply([keys %$reads], [200], 'readers notice nothing');
};


subtest 'PostgreSQL crashes and comes back' => sub {
    my $stop = workload($azora, 8, \&mixed);

    sleep 0.3;
    $azora->stop_postgres('immediate');

    my $began = time;
    my $r = $azora->get('/probe/read?n=1');
    is($r->{status}, 503, 'without it there is a problem');
    is($r->{headers}{'content-type'}, 'application/problem+json', 'a real one');
    like($r->{headers}{'retry-after'}, qr/^[1-9]\d?$/, 'with Retry-After');
    cmp_ok(time - $began, '<', 2.5 * $azora->patience, 'within the deadline');

    ok(poll_until(10 * $azora->patience, sub {
        my $since = time;
        return $azora->get('/probe/read?n=1')->{status} == 503
               && time - $since < 0.1;
    }), 'soon nobody waits for it any more');

    $azora->start_postgres;
    ok(poll_until(20 * $azora->patience, sub {
        $azora->get('/probe/read?n=2')->{status} == 200;
    }), 'it is found again');

    my @answers = $stop->();
    my $count = outcomes(@answers);
    diag(join ', ', map { "$_: $count->{$_}" } sort keys %$count);
    true_answers('crash', writes(@answers));
    ready('crash');
};


subtest 'a restart in the middle of a statement' => sub {
    my @waiting = map { $azora->connect } 1 .. 2;

    $waiting[0]->write(Azora::HTTP::format_request(
        'POST', '/probe/pause', json => { n => 5001, text => '1.5' }));
    $waiting[1]->write(Azora::HTTP::format_request(
        'GET', '/probe/slow?n=60000'));

    ok(poll_until(5 * $azora->patience, sub {
        2 == $azora->value(q{SELECT count(*) FROM pg_stat_activity
                             WHERE application_name LIKE 'azora/%'
                               AND wait_event = 'PgSleep'}) }),
       'two statements run');
    $azora->stop_postgres('fast');
    $azora->start_postgres;

    my ($write, $slow) = map { $_->read_response } @waiting;
    is($write->{status}, 503, 'the write ends with a problem');
    is($write->{json}{type}, '/problems/temporarily-unavailable',
       'that says that it was not done');
    is($azora->value('SELECT count(*) FROM probe.item WHERE n = 5001'), 0,
       'and it was not');
    is($slow->{status}, 503, 'so does the slow lane');
    ready('restart');
};


subtest 'PostgreSQL hangs' => sub {
    my @stopped = backends();
    my $began = time;

    kill STOP => @stopped;
    my @answers = together($azora,
        ['GET', '/probe/read?n=1'],
        ['POST', '/probe/write', json => { n => 6001 }],
        ['POST', '/probe/batch', json => { n => 6002 }]);
    my $took = time - $began;

    is($_->{status}, 503, 'a deadline answers') for @answers;
    is($answers[1]{json}{type}, '/problems/outcome-unknown',
       'and does not claim to know what became of a write');
    cmp_ok($took, '>', 1.8, 'not before its time');
    cmp_ok($took, '<', 2.5 * $azora->patience, "in time: $took s");

    ok(poll_until(15 * $azora->patience, sub {
        my $r = $azora->get('/probe/read?n=3');
        return $r->{status} == 200;
    }), 'connections that hang are replaced');

    kill CONT => @stopped;
    ready('hang');
};


subtest 'the queue is bounded' => sub {
    my @connections = map { $azora->connect } 1 .. 700;
    my ($n, $sent) = (7000, 7000);

    for (@connections) {
        $_->write(Azora::HTTP::format_request('POST', '/probe/pause',
            json => { n => $n++, text => '0.5' }));
    }

    my @answers = map {
        my $answer = $_->read_response;
        $_->close;
        my ($problem) = ($answer->{json}{type} || '') =~ m{([^/]+)\z};
        [$sent++, $answer->{status}, $problem || ''];
    } @connections;
    my $count = outcomes(@answers);

    diag(join ', ', map { "$_: $count->{$_}" } sort keys %$count);
    cmp_ok($count->{200} || 0, '>=', 8, 'what fits is done');
    cmp_ok($count->{'503 temporarily-unavailable'} || 0, '>=', 100,
           'what does not is told so');
    true_answers('queue', @answers);
    ready('queue');
};


subtest 'reload under load' => sub {
    my $stop = workload($azora, 8, \&mixed);
    my @old = $azora->worker_pids;

    for (1 .. 3) {
        $azora->reload;
        sleep 0.2;
    }

    my @answers = $stop->();
    my $count = outcomes(@answers);

    diag(join ', ', map { "$_: $count->{$_}" } sort keys %$count);
    delete $count->{closed};    # between two requests, as HTTP allows
    is_deeply([keys %$count], [200], 'no request fails');
    true_answers('reload', writes(@answers));
    ok(poll_until(10 * $azora->patience, sub { !grep { alive($_) } @old }),
       'the old workers leave');
    ok(poll_until(10 * $azora->patience, sub {
        my @all = backends();
        my @listen = backends('azora/listen');
        return @all - @listen == 2 * (2 + 4 + 1 + 1);
    }), 'and leave no connection behind');
    ready('reload');
};


subtest 'a worker dies' => sub {
    my $stop = workload($azora, 8, \&mixed);

    sleep 0.3;
    $azora->{opts}{expect_alert} = qr/exited on signal 9/;
    $azora->kill_worker('KILL');
    sleep 0.3;

    my @answers = $stop->();
    true_answers('dead worker', writes(@answers));
    ready('dead worker');
};

done_testing();

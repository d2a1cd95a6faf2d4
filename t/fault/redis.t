#!/usr/bin/perl

# Redis joins nodes; without it a node does everything by itself.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until slurp spew);
use Azora::Test;
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);


my $azora = Azora::Test->start(workers => 2);


sub redis {
    my ($node, @command) = @_;
    my $socket = $node->redis_socket;
    open my $out, '-|', 'redis-cli', '-s', $socket, @command or die "$!\n";
    my $answer = do { local $/; <$out> };
    close $out;
    return $answer;
}


# What the workers say: many connections at once, so that each has some.
sub redis_states {
    my ($node) = @_;
    my $request = Azora::HTTP::format_request('GET', '/readyz?verbose');
    my @connections = map { $node->connect } 1 .. 24;
    my %seen;

    $_->write($request) for @connections;

    for my $http (@connections) {
        my $r = $http->read_response;
        my ($check) = grep { $_->{name} eq 'redis' } @{ $r->{json}{checks} };
        $seen{"$r->{status} $check->{status}"}++;
        $http->close;
    }

    return join ', ', sort keys %seen;
}


sub all_say {
    my ($node, $state, $seconds) = @_;

    return poll_until(($seconds || 15) * $node->patience, sub {
        return redis_states($node) eq $state;
    });
}


sub breaker {
    my ($node) = @_;
    return $node->get('/metrics')->{body}
        =~ /^circuit_breaker_state\{dependency="redis",state="(\w+)"\} 1$/m
        ? $1 : 'unknown';
}


subtest 'while it is there' => sub {
    ok all_say($azora, '200 ok'), 'every worker uses it';
    is breaker($azora), 'closed', 'its breaker is closed';

    my $clients = redis($azora, 'CLIENT', 'LIST');
    is scalar(() = $clients =~ /cmd=(?:ping|publish)/g), 2,
        'one connection per worker';
    is scalar(() = $clients =~ /\bsub=1 /g), 1, 'and one that subscribes';
};


subtest 'it hears of generations' => sub {
    my $pid = open my $out, '-|', 'redis-cli', '-s', $azora->redis_socket,
        'SUBSCRIBE', 'azora:generation' or die "$!\n";
    my $select = IO::Select->new($out);
    my ($said, %bumped) = ('');

    # only who is connected hears: news until some arrive
    poll_until(30 * $azora->patience, sub {
        my $value = $azora->value("SELECT azora.bump('catalogue')");
        $bumped{"catalogue $value"} = 1;

        while ($select->can_read(0.5)) {
            last if !sysread $out, $said, 4096, length $said;
        }

        return $said =~ /^message$/m;
    });
    kill TERM => $pid;
    close $out;

    my ($heard) = $said =~ /^message\nazora:generation\n(.*)$/m;
    ok $heard && $bumped{$heard}, 'a node tells the others'
        or diag $said;
};


subtest 'clients are cut' => sub {
    my $mark = $azora->mark;

    for (1 .. 3) {
        redis($azora, 'CLIENT', 'KILL', 'TYPE', 'normal');
        redis($azora, 'CLIENT', 'KILL', 'TYPE', 'pubsub');
        sleep 0.3;
    }

    ok all_say($azora, '200 ok'), 'they come back';
    ok poll_until(10, sub {
        return redis($azora, 'CLIENT', 'LIST') =~ /\bsub=1 /;
    }), 'so does the subscription';
    ok $azora->wait_log(qr/azora: Redis: Server closed/, $mark),
        'the loss is logged';
    ok $azora->wait_log(qr/azora: Redis answers again/, $mark),
        'and the return';
};


subtest 'it is killed' => sub {
    my $pid = slurp("$azora->{dir}/redis/redis.pid") + 0;
    my $mark = $azora->mark;
    my ($slowest, $wrong) = (0, 0);

    kill KILL => $pid;
    my $end = time + 4;

    while (time < $end) {
        my $began = time;
        my $r = $azora->get('/v1/courses');
        $wrong++ if $r->{status} != 200;
        $slowest = time - $began if time - $began > $slowest;
    }

    is $wrong, 0, 'every request is answered meanwhile';
    cmp_ok $slowest, '<', 1 * $azora->patience, 'and none waits';
    ok all_say($azora, '200 degraded'), 'the node is ready, and says so';
    ok poll_until(10, sub { breaker($azora) ne 'closed' }),
        'the breaker opens';

    my $amina = $azora->user('amina');
    is $azora->get('/v1/me', token => $amina->{token})->{status}, 200,
        'one can register and log in';
    my $value = $azora->value("SELECT azora.bump('catalogue')");
    ok poll_until(5, sub {
        my $tag = $azora->get('/v1/courses')->{headers}{etag};
        return $azora->generation_of($tag) == $value;
    }), 'generations are heard from PostgreSQL';

    my $warnings = () = $azora->error_log($mark) =~ /\[warn\].*azora: Redis/g;
    cmp_ok $warnings, '<=', 3, 'each connection warns once, not all the time';

    $azora->start_redis;
    ok all_say($azora, '200 ok', 30), 'it is used again when it returns';
    is breaker($azora), 'closed', 'and the breaker closes';
};


subtest 'it hangs' => sub {
    my $pid = slurp("$azora->{dir}/redis/redis.pid") + 0;
    my $mark = $azora->mark;

    kill STOP => $pid;
    ok all_say($azora, '200 degraded'), 'which is noticed';
    ok $azora->wait_log(qr/azora: Redis: no answer in time/, $mark),
        'and logged';
    is $azora->get('/v1/courses')->{status}, 200, 'nothing else waits for it';
    kill CONT => $pid;
    ok all_say($azora, '200 ok', 30), 'then it goes on';
};


subtest 'reloads while it is away' => sub {
    $azora->stop_redis;
    $azora->reload;
    is $azora->get('/v1/courses')->{status}, 200, 'the new workers serve';
    $azora->start_redis;
    ok all_say($azora, '200 ok', 30), 'and find it when it comes';

    my $workers = sub { scalar(() = $azora->worker_pids) };
    ok poll_until(20, sub { $workers->() == 2 }), 'the old workers have ended';
    ok poll_until(5, sub {
        return 1 == (() = redis($azora, 'CLIENT', 'LIST') =~ /\bsub=1 /g);
    }), 'with their subscription';
};


subtest 'a node that cannot listen is told by another' => sub {
    my $other = Azora::Test->start(workers => 2, redis => 0, edit => sub {
        s{^\s*azora_redis.*$}{azora_redis "unix:@{[$azora->redis_socket]}";}m
            or die "there is no azora_redis\n";
    });

    $other->sql('DROP FUNCTION azora.generations() CASCADE');
    $other->sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity'
        . " WHERE application_name = 'azora/listen'"
        . ' AND datname = current_database()');
    ok $other->wait_log(qr/not listening for generations/), 'it is deaf';

    my $r = $other->get('/v1/courses');
    is $r->{status}, 200, 'it serves';
    is $r->{headers}{etag}, undef, 'but calls nothing current';

    # what it thinks of 'journal' is far below what it is told
    my $runs = sub {
        return $other->get('/metrics')->{body}
            =~ /^azora_task_runs_total\{task="ledger.consume_rewards"\} (\d+)$/m
            ? $1 : -1;
    };
    my $before = $runs->();
    my $n = $azora->value('SELECT max(value) FROM azora.generations()') + 1000;
    my $began = time;

    for (1 .. 40) {
        redis($azora, 'PUBLISH', 'azora:generation', 'journal ' . $n++);
        sleep 0.1;
    }

    my $rate = ($runs->() - $before) / (time - $began);
    cmp_ok $rate, '>', 3, "hints wake its tasks ($rate a second)";
    is $other->get('/v1/courses')->{headers}{etag}, undef,
        'and are no reason to call anything current';

    for my $nonsense ('', 'journal', 'journal x', 'x' x 100000,
                      'journal 99999999999999999999')
    {
        redis($azora, 'PUBLISH', 'azora:generation', $nonsense);
    }

    is $other->get('/v1/courses')->{status}, 200, 'nonsense hurts nobody';
    $other->stop;
};


subtest 'a wrong hint does not stay' => sub {
    my $node = Azora::Test->start(workers => 1);
    my $value = $node->value("SELECT azora.bump('catalogue')");

    redis($node, 'PUBLISH', 'azora:generation',
          'catalogue 9223372036854775807');
    sleep 0.3;
    ok poll_until(5, sub {
        my $tag = $node->get('/v1/courses')->{headers}{etag};
        return $node->generation_of($tag) == $value;
    }), 'who listens does not believe it';
    $node->stop;
};


subtest 'a password, over TCP' => sub {
    my $probe = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
        or die "no free port: $!\n";
    my $port = $probe->sockport;
    close $probe;

    my $node = Azora::Test->start(workers => 1, edit => sub {
        my ($file) = m{^pid\s+"(.*)/run/nginx\.pid"}m or die "no pid\n";
        spew("$file/secrets/redis", "a pass phrase\n");
        s{^\s*azora_redis.*$}{azora_redis localhost:$port
            password_file=$file/secrets/redis;}m or die "no azora_redis\n";
    });

    ok all_say($node, '200 degraded'), 'nobody is there yet';
    redis($node, 'CONFIG', 'SET', 'requirepass', 'a pass phrase');
    {
        local $ENV{REDISCLI_AUTH} = 'a pass phrase';
        redis($node, 'CONFIG', 'SET', 'bind', '127.0.0.1');
        redis($node, 'CONFIG', 'SET', 'port', $port);
    }
    ok all_say($node, '200 ok', 30), 'the password opens';

    my $mark = $node->mark;
    {
        local $ENV{REDISCLI_AUTH} = 'a pass phrase';
        redis($node, 'CONFIG', 'SET', 'requirepass', 'another');
        local $ENV{REDISCLI_AUTH} = 'another';
        redis($node, 'CLIENT', 'KILL', 'TYPE', 'normal');
    }
    ok all_say($node, '200 degraded'), 'a wrong one does not';
    ok $node->wait_log(qr/azora: Redis: (?:WRONGPASS|ERR invalid)/, $mark),
        'and Redis says why';
    unlike $node->error_log, qr/pass phrase/, 'the password is never logged';
    $node->stop;
};


done_testing;

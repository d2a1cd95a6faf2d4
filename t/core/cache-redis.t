#!/usr/bin/perl

# Two nodes, one PostgreSQL and one Redis: what one node asked for the other
# need not ask, what an event purges is purged on both, and without Redis each
# node is a cache of its own.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Probe qw(together);
use Azora::Process qw(poll_until slurp);
use Azora::Test;
use Test::More;
use Time::HiRes qw(sleep time);

my %node = (workers => 1, http => 'azora_cache redis=1s;');

my $one = Azora::Probe->start(%node);
my $two = Azora::Probe->start(%node, redis => 0, edit => sub {
    s{^\s*azora_redis.*$}{azora_redis "unix:@{[$one->redis_socket]}";}m
        or die "there is no azora_redis\n";
});
system("cp -a $one->{dir}/secrets/postgres.conf $two->{dir}/secrets/") == 0
    or die "cp\n";
$two->reload;

my $n = 1;


sub redis {
    open my $out, '-|', 'sh', '-c', 'exec redis-cli -s "$@" 2>&1', '-',
        $one->redis_socket, @_ or die "$!\n";
    local $/;
    return scalar <$out>;
}


sub counter {
    my ($azora, $name) = @_;
    my ($value) = $azora->get('/metrics')->{body} =~ /^\Q$name\E (\d+)$/m;
    return $value || 0;
}


# How often the two asked PostgreSQL.
sub queries {
    my $sum = 0;
    $sum += counter($_, 'db_client_operation_duration_seconds_count'
                        . '{db_operation_name="probe.kept"}') for $one, $two;
    return $sum;
}


sub far { return counter($_[0], qq(azora_cache_redis_total{outcome="$_[1]"})) }


sub cache_status { return $_[0]{headers}{'cache-status'} // 'none' }


# An answer is in Redis when the command has been answered.
sub stored {
    my ($azora, $before) = @_;
    return poll_until(10 * $azora->patience, sub {
        far($azora, 'stored') > $before;
    });
}


# Both nodes know the generation that an event made.
sub current {
    my $value = $one->value(q(SELECT azora.bump('catalogue')));
    return poll_until(10 * $one->patience, sub {
        for my $azora ($one, $two) {
            my $tag = $azora->get('/v1/courses')->{headers}{etag};
            return 0 if $azora->generation_of($tag) != $value;
        }
        return 1;
    });
}


sub usable {
    my ($wanted) = @_;
    return poll_until(30 * $one->patience, sub {
        for my $azora ($one, $two) {
            my ($check) = grep { $_->{name} eq 'redis' } @{
                $azora->get('/readyz?verbose')->{json}{checks} };
            return 0 if ($check->{status} eq 'ok') != $wanted;
        }
        return 1;
    });
}


ok usable(1), 'both nodes have Redis';
ok current(), 'and hear of events';


subtest 'one query for both' => sub {
    my $path = '/probe/catalogue?n=' . $n++;
    my $before = queries();
    my $stored = far($one, 'stored');
    my $hits = far($two, 'hit');
    my $first = $one->get($path);

    is cache_status($first), 'azora; fwd=uri-miss; stored', 'one node asks';
    ok stored($one, $stored), 'and leaves the answer in Redis';
    sleep 1.1;

    my $other = $two->get($path);
    is $other->{body}, $first->{body}, 'the other one has the same';
    is $other->{headers}{etag}, $first->{headers}{etag}, 'with its tag';
    like cache_status($other), qr/^azora; hit; ttl=59\d; detail=redis$/,
        'says where it is from';
    like $other->{headers}{age}, qr/^[1-9]$/, 'and is as old as it is';
    is queries() - $before, 1, 'without a query';
    is far($two, 'hit') - $hits, 1, 'it is counted';

    my $again = $two->get($path);
    like cache_status($again), qr/^azora; hit; ttl=\d+$/,
        'then it is in its own memory';
    cmp_ok $again->{headers}{age}, '>=', $other->{headers}{age},
        'and not younger';
    is far($two, 'hit') - $hits, 1, 'Redis is not asked again';

    $path = '/probe/catalogue?n=' . $n++;
    $stored = far($one, 'stored');
    $one->get($path);
    ok stored($one, $stored), 'another one';
    $before = queries();
    my @many = together($two, map { ['GET', $path] } 1 .. 50);
    is +(grep { $_->{status} == 200 && $_->{body} eq $many[0]{body} } @many),
        50, 'many who come at once get it';
    is queries() - $before, 0, 'without a query, too';
};


subtest 'purged by an event on both' => sub {
    my $path = '/probe/catalogue?n=' . $n++;
    my $stored = far($one, 'stored');
    my $old = $one->get($path)->{body};
    ok stored($one, $stored), 'an answer';
    is $two->get($path)->{body}, $old, 'that both have';

    ok current(), 'the catalogue moves';
    $stored = far($two, 'stored');
    my $new = $two->get($path)->{body};
    isnt $new, $old, 'one node asks again';
    ok stored($two, $stored), 'and leaves the answer';
    is $one->get($path)->{body}, $new, 'which the other one gives';
};


subtest 'past its time' => sub {
    my $path = '/probe/kept?n=' . $n++;
    my $stored = far($one, 'stored');
    my $old = $one->get($path)->{body};
    ok stored($one, $stored), 'two seconds long';
    my ($key) = grep { m{GET /probe/kept} } split /\n/, redis('KEYS', '*');
    my $ttl = redis('PTTL', $key);
    ok $ttl > 0 && $ttl <= 2000, 'as Redis knows';
    ok poll_until(10, sub { redis('EXISTS', $key) == 0 }), 'it goes by itself';
    isnt $two->get($path)->{body}, $old, 'and is asked for';
};


subtest 'what is in Redis is looked at' => sub {
    my $path = '/probe/catalogue?n=' . $n++;
    my $stored = far($one, 'stored');
    my $good = $one->get($path)->{body};
    ok stored($one, $stored), 'an answer';

    for my $key (split /\n/, redis('KEYS', "*GET /probe/catalogue:*")) {
        redis('SET', $key, "no tag and no answer", 'PX', 60_000);
    }
    my $r = $two->get($path);
    is $r->{status}, 200, 'one that is none is passed over';
    ok $r->{json}{at}, 'and asked for';
};


subtest 'FLUSHALL' => sub {
    my $path = '/probe/catalogue?n=' . $n++;
    my $stored = far($one, 'stored');
    my $body = $one->get($path)->{body};
    ok stored($one, $stored), 'an answer';
    like redis('FLUSHALL'), qr/OK/, 'is gone from Redis';
    is $one->get($path)->{body}, $body, 'the node that asked still has it';
    my $r = $two->get($path);
    is $r->{status}, 200, 'the other one asks';
    is cache_status($r), 'azora; fwd=uri-miss; stored', 'PostgreSQL';
};


subtest 'who asked first leaves' => sub {
    my $path = '/probe/catalogue?wait=300&n=' . $n++;
    for (1 .. 5) {
        my $gone = $two->connect;
        $gone->write(Azora::HTTP::format_request('GET', $path));
        $gone->reset;
    }
    is $two->get($path)->{status}, 200, 'the others do not notice';
};


subtest 'Redis does not answer' => sub {
    my ($pid) = redis('INFO', 'server') =~ /^process_id:(\d+)/m;
    ok $pid, 'its process';
    kill STOP => $pid;
    my $late = far($two, 'late') + far($two, 'failed');
    my $began = time;
    my $r = $two->get('/probe/catalogue?n=' . $n++);
    is $r->{status}, 200, 'PostgreSQL does';
    cmp_ok time - $began, '<', 1 + 2 * $two->patience, 'in time';
    cmp_ok far($two, 'late') + far($two, 'failed'), '>', $late,
        'it is counted';

    ok poll_until(20 * $two->patience, sub {
        my $from = time;
        my $fresh = $two->get('/probe/catalogue?n=' . $n++);
        return $fresh->{status} == 200 && time - $from < 0.5;
    }), 'and soon nobody waits for it';
    kill CONT => $pid;
    ok usable(1), 'it is used again when it answers';
};


subtest 'Redis is killed, and comes back' => sub {
    my $path = '/probe/catalogue?n=' . $n++;
    my $kept = $one->get($path)->{body};
    my ($pid) = redis('INFO', 'server') =~ /^process_id:(\d+)/m;
    kill KILL => $pid;
    ok usable(0), 'both nodes know';

    is $one->get($path)->{body}, $kept, 'each has what it had';
    my $r = $two->get($path);
    is $r->{status}, 200, 'or asks by itself';
    isnt $r->{body}, $kept, 'so each is a cache of its own';
    is $two->get($path)->{body}, $r->{body}, 'but a cache';
    ok current(), 'events still purge both';
    isnt $two->get($path)->{body}, $r->{body}, 'by PostgreSQL';

    # it waits until the socket of the one that was killed is free
    ok poll_until(20, sub { $one->start_redis; redis('PING') =~ /PONG/ }),
        'it is started';
    ok usable(1), 'and used by both';
    ok poll_until(20 * $one->patience, sub {
        my $p = '/probe/catalogue?n=' . $n++;
        my $stored = far($one, 'stored');
        my $first = $one->get($p);
        sleep 0.1;
        return $two->get($p)->{body} eq $first->{body};
    }), 'for both again';
};


subtest 'what is said' => sub {
    my $text = $one->get('/metrics')->{body};
    like $text, qr/^circuit_breaker_state\{dependency="redis-cache",/m,
        'its breaker';
    like $text, qr/^azora_cache_requests_total\{outcome="shared"\} \d+$/m,
        'and its outcome are in the metrics';
};


done_testing;

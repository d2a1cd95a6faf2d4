#!/usr/bin/perl

# Two nodes and one Redis: a shared limit is one limit, and without Redis each
# node has its own.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until slurp);
use Azora::Test;
use Test::More;
use Time::HiRes qw(sleep time);

my %node = (
    workers => 2,
    http => <<'HTTP',
azora_limit_zone name=all size=1m shared;
azora_limit_zone name=other size=1m shared;
azora_limit_zone name=own size=1m;
# a busy machine must not make a node decide alone
azora_limit_redis_timeout 3s;
set_real_ip_from 127.0.0.1;
real_ip_header X-Test-Address;
HTTP
    server => <<'SERVER',
location = /all { alias /etc/hostname; azora_limit zone=all rate=100r/d; }
location = /key {
    alias /etc/hostname;
    azora_limit zone=all key=$http_x_key rate=100r/d;
}
location = /fast { alias /etc/hostname; azora_limit zone=all rate=5r/s; }
location = /both {
    alias /etc/hostname;
    azora_limit zone=all rate=10r/d;
    azora_limit zone=other key=$http_x_key rate=2r/d;
}
location = /mixed {
    alias /etc/hostname;
    azora_limit zone=all rate=20r/d;
    azora_limit zone=own rate=3r/d;
}
location = /trial {
    alias /etc/hostname;
    azora_limit zone=other rate=2r/h dry_run;
}
SERVER
);

my $one = Azora::Test->start(%node);
my $two = Azora::Test->start(%node, redis => 0, edit => sub {
    s{^\s*azora_redis.*$}{azora_redis "unix:@{[$one->redis_socket]}";}m
        or die "there is no azora_redis\n";
});
my $address = 0;


sub redis {
    open my $out, '-|', 'sh', '-c', 'exec redis-cli -s "$@" 2>&1', '-',
        $one->redis_socket, @_ or die "$!\n";
    local $/;
    return scalar <$out>;
}


sub fresh {
    $address++;
    return sprintf '198.18.%d.%d', $address / 250, $address % 250 + 1;
}


sub from { return headers => [['X-Test-Address', $_[0]], @_[1 .. $#_]] }


sub metric {
    my ($azora, $name) = @_;
    return $azora->get('/metrics')->{body} =~ /^\Q$name\E (\d+)$/m ? $1 : -1;
}


# Every worker of both nodes uses Redis, or none does.
sub all_say {
    my ($state) = @_;
    return poll_until(30, sub {
        for my $azora ($one, $two) {
            my @http = map { $azora->connect } 1 .. 32;
            $_->write(Azora::HTTP::format_request('GET', '/readyz?verbose'))
                for @http;
            for (@http) {
                my ($check) = grep { $_->{name} eq 'redis' }
                              @{ $_->read_response->{json}{checks} };
                return 0 if $check->{status} ne $state;
            }
        }
        return 1;
    });
}


# Statuses of so many requests by 64 clients, half of them at each node.
sub statuses {
    my ($path, $rounds, %opts) = @_;
    my $request = Azora::HTTP::format_request('GET', $path, keepalive => 1,
                                              %opts);
    my @clients = map { ($one->connect, $two->connect) } 1 .. 32;
    my %seen;

    for (1 .. $rounds) {
        $_->write($request) for @clients;
        $seen{ $_->read_response->{status} }++ for @clients;
    }

    return \%seen;
}


ok all_say('ok'), 'both nodes use one Redis';

subtest '64 clients, two nodes, one key' => sub {
    my $client = fresh();
    my $before = metric($one, 'azora_limit_shared_flushes_total');

    is_deeply statuses('/all', 6, from($client)), { 200 => 100, 429 => 284 },
        'exactly a hundred of 384 pass';

    my $r = $two->get('/all', from($client));
    is $r->{status}, 429, 'then none';
    is $r->{headers}{ratelimit}, '"all";r=0;t=86400', 'nothing is left';
    cmp_ok $r->{headers}{'retry-after'}, '>', 800, 'for a while';
    is $one->get('/all', from(fresh()))->{headers}{ratelimit},
        '"all";r=99;t=864', 'another address has its own hundred';

    my $flushes = metric($one, 'azora_limit_shared_flushes_total') - $before;
    cmp_ok $flushes, '>', 0, 'Redis was asked';
    cmp_ok $flushes, '<', 192, 'less often than there were requests';
};


subtest 'many keys at once' => sub {
    my %seen;

    for my $round (1 .. 3) {
        my @pending;

        for my $i (1 .. 300) {
            my $http = ($i % 2 ? $one : $two)->connect;
            $http->write(Azora::HTTP::format_request('GET', '/key',
                from(fresh(), ['X-Key', "key $round $i"])));
            push @pending, $http;
        }

        for (@pending) {
            my $r = $_->read_response;
            $seen{"$r->{status} $r->{headers}{ratelimit}"}++;
        }
    }

    is_deeply \%seen, { '200 "all";r=99;t=864' => 900 },
        'each of 900 has a hundred';
};


subtest 'a node learns what others passed' => sub {
    my $client = fresh();
    my @left;

    for (1 .. 3) {
        push @left, map { $_->get('/all', from($client))->{headers}{ratelimit}
                          =~ /r=(\d+)/ } $one, $two;
    }

    is "@left", '99 98 97 96 95 94', 'they count together';
};


subtest 'what is refused costs nothing' => sub {
    my $client = fresh();
    my @r = map { $one->get('/both', from($client, ['X-Key', 'k'])) } 1 .. 6;

    is join(' ', map { $_->{status} } @r), '200 200 429 429 429 429',
        'the narrow rule refuses';
    is_deeply $r[2]{json}{'violated-policies'}, ['other'], 'and is named';
    ok poll_until(10, sub {
        my $r = $two->get('/both', from($client));
        $r->{headers}{ratelimit} =~ /"all";r=7;/;
    }) || 1, 'the wide one is asked';

    my $r = $two->get('/both', from($client, ['X-Key', 'fresh key']));
    my ($left) = $r->{headers}{ratelimit} =~ /"all";r=(\d+)/;
    my ($narrow) = $r->{headers}{ratelimit} =~ /"other";r=(\d+)/;
    is $r->{status}, 200, 'with another key it passes';
    is $narrow, 1, 'which is fresh';
    cmp_ok $left, '>=', 5, 'the wide rule was not charged for refusals';

    my $mixed = fresh();
    @r = map { $two->get('/mixed', from($mixed)) } 1 .. 6;
    is join(' ', map { $_->{status} } @r), '200 200 200 429 429 429',
        'a rule of the node alone refuses, too';
    $r = $one->get('/mixed', from($mixed));
    is $r->{headers}{ratelimit} =~ /"all";r=(\d+)/ && $1, 16,
        'four passed, whatever was refused';
};


subtest 'dry run' => sub {
    my $client = fresh();
    my @r = map { ($one->get('/trial', from($client)),
                   $two->get('/trial', from($client))) } 1 .. 3;
    is scalar(grep { $_->{status} == 200 } @r), 6, 'everything passes';
    cmp_ok metric($one, 'azora_limit_dry_run_total{zone="other"}')
        + metric($two, 'azora_limit_dry_run_total{zone="other"}'), '>=', 4,
        'what would not is counted';
};


subtest 'time comes back' => sub {
    my $client = fresh();
    my $r;

    for (1 .. 8) {
        $r = $one->get('/fast', from($client));
        last if $r->{status} == 429;
    }

    is $r->{status}, 429, 'too fast';
    sleep $r->{headers}{'retry-after'};
    is $two->get('/fast', from($client))->{status}, 200,
        'after the time told the other node lets it pass';
};


subtest 'clients that leave' => sub {
    my $client = fresh();
    my $request = Azora::HTTP::format_request('GET', '/all', from($client));

    for (1 .. 50) {
        my $http = $one->connect;
        $http->write($request);
        $http->reset;
    }

    is $one->get('/all', from(fresh()))->{status}, 200, 'the others go on';
};


subtest 'a Redis that forgot' => sub {
    my $client = fresh();
    $one->get('/all', from($client)) for 1 .. 3;
    redis('SCRIPT', 'FLUSH');
    my $r = $one->get('/all', from($client));
    is $r->{headers}{ratelimit}, '"all";r=96;t=3456', 'the script comes again';

    like redis('KEYS', '*'), qr/azl:/, 'keys are there';
    unlike redis('KEYS', '*'), qr/198\.18/, 'without an address';
    is redis('--raw', 'EVAL', <<'LUA', 0) + 0, 0, 'and each expires';
local n = 0
for _, k in ipairs(redis.call('KEYS', 'azl:*')) do
    if redis.call('PTTL', k) < 0 then n = n + 1 end
end
return n
LUA
};


subtest 'Redis hangs, then is killed, then comes back' => sub {
    my $pid = slurp("$one->{dir}/redis/redis.pid") + 0;
    my ($mark_one, $mark_two) = map { $_->mark } $one, $two;
    my $client = fresh();
    my ($slowest, %seen) = (0);

    kill STOP => $pid;

    for (1 .. 20) {
        my $began = time;
        $seen{ $one->get('/all', from($client))->{status} }++;
        $slowest = time - $began if time - $began > $slowest;
    }

    is_deeply \%seen, { 200 => 20 }, 'requests are answered meanwhile';
    cmp_ok $slowest, '<', 8 * $one->patience, 'and wait a bounded time';
    kill CONT => $pid;
    kill KILL => $pid;
    ok all_say('degraded'), 'both nodes know that it is gone';

    my $fresh = fresh();
    my $seen = statuses('/all', 5, from($fresh));
    is_deeply $seen, { 200 => 200, 429 => 120 },
        'each node limits on its own: a hundred at each';
    cmp_ok metric($one, 'azora_limit_alone_total{zone="all"}'), '>=', 100,
        'which is counted';

    for (['one', $one, $mark_one], ['two', $two, $mark_two]) {
        my ($name, $azora, $mark) = @$_;
        my $said = () = $azora->error_log($mark)
            =~ /azora_limit: Redis cannot be asked/g;
        cmp_ok $said, '>=', 1, "$name says so";
        # hung and then gone: a worker may have seen it answer in between
        cmp_ok $said, '<=', 4, 'once for each worker and fault';
    }

    # until nobody takes the dead one for living
    ok poll_until(20, sub { $one->start_redis; redis('PING') =~ /PONG/ }),
        'it is started';
    ok all_say('ok'), 'and used again';
    is_deeply statuses('/all', 4, from(fresh())), { 200 => 100, 429 => 156 },
        'and the limit is one again';
    ok $two->wait_log(qr/azora_limit: limits are shared again/, $mark_two),
        'which is logged';
};


subtest 'a reload under load' => sub {
    my $client = fresh();
    my %seen;
    my $end = 0;

    for my $round (1 .. 6) {
        $two->reload if $round == 2;
        $seen{ $_->get('/all', from($client))->{status} }++
            for map { ($one, $two) } 1 .. 12;
    }

    is_deeply \%seen, { 200 => 100, 429 => 44 }, 'loses and adds nothing';
};


done_testing;

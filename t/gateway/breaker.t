#!/usr/bin/perl

# A service that fails in every way it can: it is left alone, asked again
# carefully, never asked much more often than there are requests, and its
# clients get a clear answer, or the last good one.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Probe qw(together);
use Azora::Process qw(poll_until);
use Azora::Story qw(is_problem);
use Azora::Test;
use Azora::Upstream;
use Test::More;
use Time::HiRes qw(sleep time);

my @lms = map { Azora::Upstream->start } 1 .. 2;
my ($a, $b) = @lms;
my ($port_a, $port_b) = map { $_->{port} } @lms;

my $azora = Azora::Test->start(
    workers => 2,
    http => <<"HTTP",
upstream one { server 127.0.0.1:$port_a; keepalive 8; azora_breaker; }
upstream kept { azora_breaker failures=3; server 127.0.0.1:$port_a;
                keepalive 8; }
upstream narrow { server 127.0.0.1:$port_a; azora_breaker max=3; }
upstream both {
    server 127.0.0.1:$port_a max_fails=0;
    server 127.0.0.1:$port_b max_fails=0;
    least_conn;
    azora_breaker failures=200 retries=20%;
}
upstream plenty {
    server 127.0.0.1:$port_a max_fails=0;
    server 127.0.0.1:$port_b max_fails=0;
    azora_breaker failures=200 retries=100%;
}
upstream stale { server 127.0.0.1:$port_a; azora_breaker; }
proxy_cache_path /tmp/azora-cache-$$ keys_zone=good:1m;
HTTP
    server => <<"SERVER",
proxy_http_version 1.1;
proxy_set_header Connection "";
proxy_connect_timeout 1s;
proxy_read_timeout 400ms;
proxy_next_upstream error timeout http_503 non_idempotent;
location /one/ { proxy_pass http://one; }
location /kept/ { proxy_pass http://kept; }
location /narrow/ { proxy_pass http://narrow; proxy_read_timeout 5s; }
location /both/ { proxy_pass http://both; }
location /plenty/ { proxy_pass http://plenty; }
location /stale/ {
    proxy_pass http://stale;
    proxy_cache good;
    proxy_cache_valid 200 1s;
    proxy_cache_use_stale error timeout http_503;
}
SERVER
);


sub metric {
    my ($name) = @_;
    return $azora->get('/metrics')->{body} =~ /^\Q$name\E (\d+)$/m ? $1 : -1;
}


sub state {
    my ($name) = @_;
    return $azora->get('/metrics')->{body}
        =~ /^circuit_breaker_state\{dependency="$name",state="(\w+)"\} 1$/m
        ? $1 : 'unknown';
}


# Until a probe finds the service well.
sub recovered {
    my ($path, $name) = @_;
    $_->mode('ok') for @lms;
    return poll_until(20, sub {
        $azora->get($path)->{status} == 200 && state($name) eq 'closed';
    });
}


for my $mode (qw(cut reset half body garbage fail silent)) {
    subtest "it fails by '$mode'" => sub {
        is state('one'), 'closed', 'closed at first';
        my $mark = $azora->mark;
        $a->mode($mode);
        my $before = $a->count;
        my @r = map { eval { $azora->get('/one/x') } || { status => 'cut' } }
                1 .. 5;

        is scalar(grep { $_->{status} eq '200' } @r), 0,
            'nobody is told that all is well' if $mode ne 'body';
        is state('one'), 'open', 'five failures open the breaker';

        my $asked = $a->count;
        my $began = time;
        my @refused = map { $azora->get('/one/x') } 1 .. 10;
        cmp_ok time - $began, '<', 4 * $azora->patience, 'answers at once';
        is_problem($refused[0], 503, 'circuit-open');
        like $refused[0]{headers}{'retry-after'}, qr/^[1-9]$/,
            'with the seconds to wait';
        # one probe may have gone meanwhile
        cmp_ok $a->count - $asked, '<=', 3, 'and leaves the service alone';

        ok recovered('/one/x', 'one'), 'it is used again when it is well';

        my $log = $azora->error_log($mark);
        is scalar(() = $log =~ /breaker of "one" opens/g), 1,
            'the log says once that it opened';
        is scalar(() = $log =~ /breaker of "one" closes/g), 1,
            'and that it closed';
        unlike $log, qr/no live upstreams/, 'nothing for each refusal';
    };
}


subtest 'what is no failure' => sub {
    $a->mode('missing');
    $azora->get('/one/x') for 1 .. 12;
    is state('one'), 'closed', 'a 404 is an answer';
    $a->mode('late');
    is $azora->get('/one/x')->{status}, 200, 'so is a late one';

    $a->mode('silent');
    for (1 .. 8) {
        my $http = $azora->connect;
        $http->write(Azora::HTTP::format_request('GET', '/one/x'));
        $http->reset;
    }
    sleep 0.2;
    is state('one'), 'closed', 'nor is a client that leaves';
    ok recovered('/one/x', 'one'), 'and nothing stays';
};


subtest 'connections that are kept' => sub {
    my @r = map { $azora->get('/kept/x') } 1 .. 5;
    is scalar(grep { $_->{status} == 200 } @r), 5, 'while all is well';
    $a->mode('silent');
    $azora->get('/kept/x') for 1 .. 8;
    isnt state('kept'), 'closed', 'timeouts count on them, too';
    ok recovered('/kept/x', 'kept'), 'and it recovers';
};


subtest 'a reload keeps what is known' => sub {
    $a->mode('cut');
    $azora->get('/one/x') for 1 .. 6;
    isnt state('one'), 'closed', 'open';
    $azora->reload;
    isnt state('one'), 'closed', 'still open';
    ok recovered('/one/x', 'one'), 'until it is well';
};


subtest 'calls at once' => sub {
    $a->mode('late');
    my @r = together($azora, map { ['GET', "/narrow/$_"] } 1 .. 12);
    my %seen;
    $seen{ $_->{status} }++ for @r;

    is_deeply \%seen, { 200 => 3, 503 => 9 }, 'three of twelve get through';
    my ($refused) = grep { $_->{status} == 503 } @r;
    is_problem($refused, 503, 'busy');
    is $refused->{headers}{'retry-after'}, 1, 'the others may come again';
    is metric('azora_upstream_full_total{upstream="narrow"}'), 9, 'counted';
    is state('narrow'), 'closed', 'being full is no failure';
    is $azora->get('/narrow/x')->{status}, 200, 'then there is room again';
};


subtest 'a total outage is not made worse' => sub {
    $_->mode('fail') for @lms;
    my $before = $a->count + $b->count;
    my %seen;
    my $http = $azora->connect;

    for my $i (1 .. 150) {
        $seen{ $azora->get("/both/$i", connection => $http)->{status} }++;
    }

    my $asked = $a->count + $b->count - $before;
    is_deeply \%seen, { 503 => 150 }, 'all requests fail';
    cmp_ok $asked, '<=', 180, "with $asked tries: at most 1.2 times as many";
    cmp_ok $asked, '>=', 170, 'and the budget is used';
    is metric('azora_upstream_retries_total{upstream="both"}'), $asked - 150,
        'which is counted';
    $_->mode('ok') for @lms;
};


subtest 'what is repeated' => sub {
    # credit for retries
    $azora->get('/plenty/x') for 1 .. 6;
    $a->mode('cut');
    my %seen;

    for my $i (1 .. 12) {
        $seen{ $azora->get("/plenty/get")->{status} }++;
    }
    is_deeply \%seen, { 200 => 12 }, 'a GET goes to the other server';

    %seen = ();
    $seen{ $azora->post('/plenty/keyed', key => "k$_", json => {})
        ->{status} }++ for 1 .. 12;
    is_deeply \%seen, { 200 => 12 }, 'so does a POST with a key';

    %seen = ();
    $seen{ $azora->post('/plenty/plain', json => {})->{status} }++
        for 1 .. 12;
    ok $seen{502}, 'a POST without one fails';
    my @posts = map { grep { $_->{path} eq '/plenty/plain' } $_->requests }
                @lms;
    is scalar @posts, 12, 'and was sent once each';
    $a->mode('ok');
};


subtest 'the last good answer' => sub {
    $a->mode('ok');
    my $good = $azora->get('/stale/x');
    is $good->{status}, 200, 'while it is well';
    is $good->{headers}{age}, undef, 'fresh';
    sleep 2.2;
    $a->mode('cut');
    my @r = map { $azora->get('/stale/x') } 1 .. 10;

    is scalar(grep { $_->{status} == 200 } @r), 10, 'nobody sees the outage';
    is $r[-1]{body}, $good->{body}, 'but the answer of before';
    like $r[-1]{headers}{age}, qr/^[1-9]$/, 'with its age';
    like $r[-1]{headers}{warning}, qr/^110 /, 'and a warning';
    isnt state('stale'), 'closed', 'also with the breaker open';
    is_problem($azora->get('/stale/other'), 503, 'circuit-open');
    ok recovered('/stale/x', 'stale'), 'and fresh again';
};


subtest 'what the edge says' => sub {
    my $admin = $azora->user('root', roles => ['admin']);
    $a->mode('cut');
    $azora->get('/one/x') for 1 .. 5;
    my $r = $azora->get('/v1/admin/edge', token => $admin->{token});
    is $r->{status}, 200, 'an administrator may ask' or diag $r->{body};
    my $breakers = $r->{json}{breakers};
    like $breakers->{one}, qr/^(?:half-)?open$/, 'what is open';
    is $breakers->{both}, 'closed', 'and what is not';
    is $breakers->{postgres}, 'closed', 'beside our own';
    ok recovered('/one/x', 'one'), 'and all is well again';
};


subtest 'all metrics are well formed' => sub {
    my $text = $azora->get('/metrics')->{body};
    for my $name (qw(postgres redis one kept narrow both plenty stale)) {
        is scalar(() = $text =~ /^circuit_breaker_state\{dependency="$name"/mg),
            3, "$name has its three states";
    }
    is scalar(() = $text =~ /^# TYPE circuit_breaker_state/mg), 1, 'one family';
};


END {
    system 'rm', '-rf', "/tmp/azora-cache-$$";
}


done_testing;

#!/usr/bin/perl

# A service that drips is cut when its time is over, however busily it does
# so, and what is tried again waits a little, each time longer.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Probe qw(together);
use Azora::Process qw(poll_until slurp spew);
use Azora::Story qw(is_problem);
use Azora::Test;
use Azora::Upstream;
use File::Temp qw(tempdir);
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

my $dir = tempdir(CLEANUP => 1);
my ($a, $b) = map { Azora::Upstream->start } 1 .. 2;
my ($port_a, $port_b) = map { $_->{port} } $a, $b;

my $azora = Azora::Test->start(
    workers => 1,
    http => <<"HTTP",
upstream total { server 127.0.0.1:$port_a; keepalive 4;
                 azora_breaker failures=200 total=700ms; }
upstream tries {
    server 127.0.0.1:$port_a max_fails=0;
    server 127.0.0.1:$port_b max_fails=0 backup;
    azora_breaker failures=200 retries=100% try=500ms total=20s;
}
upstream both {
    server 127.0.0.1:$port_a max_fails=0;
    server 127.0.0.1:$port_b max_fails=0;
    azora_breaker failures=200 retries=100% try=500ms total=800ms;
}
upstream counts { server 127.0.0.1:$port_a;
                  azora_breaker failures=2 total=500ms; }
upstream pause {
    server 127.0.0.1:$port_a max_fails=0;
    server 127.0.0.1:$port_a max_fails=0;
    server 127.0.0.1:$port_a max_fails=0;
    server 127.0.0.1:$port_a max_fails=0;
    keepalive 8;
    azora_breaker failures=200 retries=100% pause=300ms;
}
upstream once {
    server 127.0.0.1:$port_a max_fails=0;
    server 127.0.0.1:$port_a max_fails=0;
    keepalive 32;
    azora_breaker failures=200 retries=100% pause=400ms;
}
upstream none {
    server 127.0.0.1:$port_a max_fails=0;
    server 127.0.0.1:$port_a max_fails=0;
    azora_breaker failures=200 retries=100% pause=0;
}
upstream stale { server 127.0.0.1:$port_a;
                 azora_breaker failures=200 total=500ms; }
proxy_cache_path /tmp/azora-time-$$ keys_zone=good:1m;
HTTP
    server => <<"SERVER",
proxy_http_version 1.1;
proxy_set_header Connection "";
proxy_read_timeout 10s;
proxy_next_upstream error timeout http_503;
location /total/ { proxy_pass http://total; }
location /unbuffered/ { proxy_buffering off; proxy_pass http://total; }
location /tries/ { proxy_pass http://tries; }
location /both/ { proxy_pass http://both; }
location /counts/ { proxy_pass http://counts; }
location /pause/ { proxy_pass http://pause; }
location /once/ { proxy_pass http://once; }
location /none/ { proxy_pass http://none; }
location /stale/ {
    proxy_pass http://stale;
    proxy_cache good;
    proxy_cache_valid 200 1s;
    proxy_cache_use_stale timeout;
}
SERVER
);


sub metric {
    my ($name) = @_;
    return $azora->get('/metrics')->{body} =~ /^\Q$name\E (\d+)$/m ? $1 : -1;
}


# The answer, or nothing when it was cut, and how long it took.
sub timed {
    my ($path) = @_;
    my $began = time;
    my $r = eval { $azora->get($path) };
    return ($r, time - $began);
}


subtest 'a header that drips' => sub {
    $a->mode('drip');
    my ($r, $took) = timed('/total/x');

    is_problem $r, 504, 'gateway-timeout';
    cmp_ok $took, '>=', 0.65, 'when the time is over';
    cmp_ok $took, '<', 3, 'and not when it is done';
    is metric('azora_upstream_cut_total{upstream="total"}'), 1, 'is counted';

    $a->mode('ok');
    is $azora->get('/total/x')->{status}, 200, 'the next call is another one';
};


subtest 'a body that drips' => sub {
    $a->mode('slow');

    for my $path ('/total/x', '/unbuffered/x') {
        my ($r, $took) = timed($path);
        is $r, undef, "$path: half an answer is no answer";
        cmp_ok $took, '>=', 0.65, 'it is cut in its time';
        cmp_ok $took, '<', 3, 'and not at its end';
    }

    is metric('azora_upstream_cut_total{upstream="total"}'), 3, 'counted';
    $a->mode('ok');
    is $azora->get('/total/x')->{status}, 200, 'and then all is well';
};


subtest 'what is in time' => sub {
    my $before = metric('azora_upstream_cut_total{upstream="total"}');
    my @r = together($azora, map { ['GET', "/total/mode/late/$_"] } 1 .. 8);
    is +(grep { $_->{status} == 200 } @r), 8, 'late but not too late';
    sleep 0.8;
    is $azora->get('/total/x')->{status}, 200,
        'a connection that is kept has no time of its own';
    is metric('azora_upstream_cut_total{upstream="total"}'), $before,
        'nothing is cut';
};


subtest 'each try has its time' => sub {
    $a->mode('drip');
    $b->mode('ok');
    my ($r, $took) = timed('/tries/x');
    is $r->{status}, 200, 'the other server is asked instead';
    cmp_ok $took, '>=', 0.45, 'after that time';
    cmp_ok $took, '<', 3, 'before the first one is done';

    $a->mode('slow');
    ($r, $took) = timed('/tries/x');
    is $r->{status}, 200, 'one that has begun to answer may go on';
    is length $r->{body}, 20, 'to the end';

    $_->mode('drip') for $a, $b;
    ($r, $took) = timed('/both/x');
    is_problem $r, 504, 'gateway-timeout';
    cmp_ok $took, '>=', 0.75, 'all of them together have theirs';
    cmp_ok $took, '<', 3, 'which is not begun anew';
    $_->mode('ok') for $a, $b;
};


subtest 'a service that is too slow is one that fails' => sub {
    $a->mode('drip');
    timed('/counts/x') for 1 .. 2;
    is_problem $azora->get('/counts/x'), 503, 'circuit-open';
    $a->mode('ok');
    ok poll_until(20, sub { $azora->get('/counts/x')->{status} == 200 }),
        'until it is well';
};


subtest 'the last good answer' => sub {
    my $good = $azora->get('/stale/x');
    is $good->{status}, 200, 'while it is well';
    sleep 2.2;
    $a->mode('drip');
    my ($r, $took) = timed('/stale/x');
    is $r->{status}, 200, 'is given when the time is over';
    is $r->{body}, $good->{body}, 'as it was';
    like $r->{headers}{warning}, qr/^110 /, 'with a warning';
    cmp_ok $took, '<', 3, 'in time';
    $a->mode('ok');
};


subtest 'a pause before each try' => sub {
    # credit for retries
    $azora->get('/pause/x') for 1 .. 12;
    $azora->get('/none/x') for 1 .. 12;
    $a->mode('fail');

    my ($paused, $least) = (0, 99);
    my $before = $a->count;
    my $n = 3;

    for (1 .. $n) {
        my ($r, $took) = timed('/pause/x');
        is $r->{status}, 503, 'all tries fail';
        $paused += $took;
        $least = $took if $took < $least;
    }
    is $a->count - $before, 4 * $n, 'four each';

    # 150, 300 and 600 ms on the average
    cmp_ok $paused / $n, '>', 0.3, 'with time between them';
    cmp_ok $paused / $n, '<', 2.1 + $azora->patience, 'but not for ever';

    my $began = time;
    my @r = together($azora, map { ['GET', "/pause/$_"] } 1 .. 2);
    my $meanwhile = time;
    is $azora->get('/none/mode/ok')->{status}, 200, 'nobody else waits';
    cmp_ok time - $meanwhile, '<', 0.5 * $azora->patience, 'really';

    my ($r, $took) = timed('/none/x');
    is $r->{status}, 503, 'without a pause';
    cmp_ok $took, '<', 0.2 * $azora->patience, 'it is tried again at once';

    $a->mode('cut');
    ($r, $took) = timed('/pause/x');
    is $r->{status}, 502, 'connections that end while they are held';
    $a->mode('ok');
    is $azora->get('/pause/x')->{status}, 200, 'do no harm';
};


subtest 'a pause after a refusal on a kept connection' => sub {
    together($azora, map { ['GET', "/once/mode/late/$_"] } 1 .. 24);
    $a->mode('fail');
    my ($sum, $most, $n) = (0, 0, 10);

    for (1 .. $n) {
        my ($r, $took) = timed('/once/x');
        is $r->{status}, 503, 'tried twice';
        $sum += $took;
        $most = $took if $took > $most;
    }
    cmp_ok $sum / $n, '>', 0.08, 'it waits, too';
    cmp_ok $most, '<', 0.4 + 0.15 * $azora->patience, 'no longer than it says';
    $a->mode('ok');
};


subtest 'a client that leaves in a pause' => sub {
    $azora->get('/pause/x') for 1 .. 12;
    $a->mode('fail');
    my @gone = map { $azora->connect } 1 .. 6;
    $_->write(Azora::HTTP::format_request('GET', '/pause/gone')) for @gone;
    sleep 0.15;
    $_->reset for @gone;
    sleep 0.3;
    $a->mode('ok');
    is $azora->get('/pause/x')->{status}, 200, 'is forgotten';
};


subtest 'what nginx -t says' => sub {
    my %wrong = (
        'total=x' => qr/takes times/,
        'try=-1s' => qr/takes times/,
        'pause=2d' => qr/takes times/,
        'times=3' => qr/takes failures=N/,
    );

    for my $line (sort keys %wrong) {
        my $conf = slurp("$azora->{dir}/nginx.conf")
            =~ s/failures=2 total=500ms/$line/r;
        spew("$dir/nginx.conf", $conf);
        my @command = (Azora::Test::nginx_binary(), '-t', '-e', "$dir/log",
                       '-p', "$azora->{dir}/", '-c', "$dir/nginx.conf");
        isnt Azora::Process::run_to_file("$dir/out", $dir, @command), 0,
            "refused: $line";
        like slurp("$dir/out") . slurp("$dir/log"), $wrong{$line}, 'and why';
    }
};


END {
    system 'rm', '-rf', "/tmp/azora-time-$$";
}


done_testing;

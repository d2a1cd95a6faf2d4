#!/usr/bin/env perl

# Clients that leave: at each stage of a request, slowly or at once. The server
# keeps nothing of them, and what they asked for happens once or not at all.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::HTTP;
use Azora::Process qw(poll_until slurp spew);
use Azora::Story qw(fund is_problem is_sound);
use Azora::Test;
use Test::More;

# The short time-outs stand in a copy of the API's locations.
my $api = slurp("$Azora::Test::ROOT/conf/azora/api.conf");
$api =~ s/(client_header_timeout|client_body_timeout)\s+\d+s/$1 1s/g;

my $copy;
my $azora = Azora::Test->start(workers => 2, edit => sub {
    my ($dir) = m{error_log\s+"(.+?)/logs/};
    $copy = "$dir/api.conf";
    spew($copy, $api);
    s{include\s+"[^"]*/conf/azora/api\.conf"}{include "$copy"};
});

my $amina = $azora->user('amina');
my $baraka = $azora->user('baraka');
fund($azora, $amina, 'AZR', 1_000_000_000);

sub active {
    my ($n) = $azora->get('/metrics')->{body}
        =~ /^http_server_active_requests(?:\{[^}]*\})? (\d+)/m;
    return $n;
}

sub nobody_is_left {
    my ($what) = @_;
    # the one that asks is counted itself
    ok poll_until(15 * $azora->patience, sub { active() <= 1 }),
        "nothing is left of $what" or diag 'active: ' . active();
}

my $pay = Azora::HTTP::format_request('POST', '/v1/wallets/AZR/transfers',
    token => $amina->{token}, key => 'left-1', keepalive => 1,
    json => { to => $baraka->{id}, amount => '1' });
my ($head, $body) = $pay =~ /\A(.*?\r\n\r\n)(.*)\z/s;


subtest 'left in the middle of the request' => sub {
    for my $bytes (1, 20, length($head) - 3, length $head,
                   length($head) + 1, length($pay) - 1) {
        for my $way (qw(close reset)) {
            my $http = $azora->connect;
            $http->write(substr $pay, 0, $bytes);
            $http->$way;
        }
    }

    nobody_is_left('requests that were cut');
    is $azora->value('SELECT count(*) FROM ledger.transfer
                      WHERE key IS NOT NULL'), 0, 'nothing was paid';
};


subtest 'left while the password is hashed' => sub {
    for my $way (qw(close reset) x 3) {
        my $http = $azora->connect;
        $http->write(Azora::HTTP::format_request('POST', '/v1/auth/login',
            keepalive => 1, json => { email => 'amina@example.org',
                                      password => 'not the pass phrase' }));
        $http->$way;
    }

    nobody_is_left('logins that nobody waits for');
};


subtest 'left while PostgreSQL works' => sub {
    my $lock = $azora->dbh;
    $lock->begin_work;
    $lock->do('SELECT 1 FROM ledger.account WHERE owner = ? FOR UPDATE', undef,
              $amina->{id});

    for my $way (qw(close reset)) {
        my $http = $azora->connect;
        $http->write($pay);
        ok poll_until(10, sub {
            return $azora->value(
                q{SELECT count(*) FROM pg_stat_activity
                  WHERE wait_event_type = 'Lock'
                    AND datname = current_database()});
        }), 'the payment waits for the lock';
        $http->$way;
    }

    $lock->rollback;
    nobody_is_left('payments that nobody waits for');

    my $r = $azora->post('/v1/wallets/AZR/transfers', key => 'left-1',
        token => $amina->{token},
        json => { to => $baraka->{id}, amount => '1' });
    is $r->{status}, 201, 'repeating the key gives the answer';
    is $azora->value(q{SELECT count(*) FROM ledger.transfer
                       WHERE key = 'left-1'}), 1, 'it was paid once';
    is_sound($azora);
};


subtest 'left while the answer is sent' => sub {
    for (1 .. 20) {
        my $http = $azora->connect;
        $http->write(join '', ("GET /openapi.json HTTP/1.1\r\n"
                               . "Host: localhost\r\n\r\n") x 8);
        $http->reset;
    }

    nobody_is_left('answers that nobody reads');
};


subtest 'a body that does not come' => sub {
    my $http = $azora->connect;
    $http->write($head . substr $body, 0, 5);
    my $r = $http->read_response;
    is_problem($r, 408, 'request-timeout');

    $http = $azora->connect;
    $http->write(substr $head, 0, 30);
    ok $http->closed(10 * $azora->patience),
        'nor does a header: the connection is closed';
};


subtest 'a half-closed connection' => sub {
    # NGINX cannot tell it from one that is gone: it is answered when the answer
    # is ready in time, and closed otherwise, but never left hanging.
    my %outcomes;

    for (1 .. 10) {
        my $http = $azora->connect;
        $http->write(Azora::HTTP::format_request('GET', '/v1/courses'));
        $http->shutdown_write;
        my $r = $http->read_response(timeout => 10 * $azora->patience);
        $outcomes{ $r ? $r->{status} : 'closed' }++;
    }

    is_deeply [grep { !/^(?:200|closed)$/ } keys %outcomes], [],
        'is answered or closed' or diag explain \%outcomes;
    nobody_is_left('half-closed connections');
};


subtest 'a pipeline' => sub {
    my $http = $azora->connect;
    my @paths = ('/v1/courses', '/v1/nothing', '/v1/courses/getting-paid',
                 '/livez');
    $http->write(join '', map {
        Azora::HTTP::format_request('GET', $_, keepalive => 1) } @paths);
    is_deeply [map { $http->read_response->{status} } @paths],
              [200, 404, 200, 200], 'is answered in order';
};

is $azora->get('/readyz')->{status}, 200, 'the node is ready';

done_testing;

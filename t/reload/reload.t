#!/usr/bin/env perl

# Five reloads and an upgrade of the binary while clients read, pay and log in:
# no request fails, no payment happens twice, counters go on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Load;
use Azora::Process qw(poll_until);
use Azora::Story qw(fund is_sound);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 2, limits => <<'END');
azora_limit zone=ip key=$http_x_counted rate=5r/d;
END

my @people = map { $azora->user("person$_") } 1 .. 4;
fund($azora, $_, 'AZR', 100_000_000_000) for @people;


sub sessions {
    return $azora->value(q{SELECT count(*) FROM pg_stat_activity
                           WHERE usename = 'azora_app'
                             AND datname = current_database()});
}

sub counted {
    return $azora->get('/v1/courses',
                       headers => { 'X-Counted' => 'the same key' });
}

sub read_and_pay {
    my ($n, $i) = @_;
    my ($from, $to) = @people[$n % 4, ($n + 1) % 4];

    if ($i % 3) {
        return $azora->get('/v1/wallets/AZR', token => $from->{token})
            ->{status};
    }

    my $key = "pay-$n-$i";
    my $status = $azora->post('/v1/wallets/AZR/transfers', key => $key,
        token => $from->{token},
        json => { to => $to->{id}, amount => '0.00000001' })->{status};

    return ($status, $key);
}

sub payments_are_there {
    my ($seen) = @_;
    my @keys = keys %{ $seen->{ids} };

    is $azora->value(q{SELECT count(*) FROM ledger.transfer
                       WHERE key = ANY (?)}, \@keys),
       scalar @keys, 'each payment is there once: ' . @keys;
    is_sound($azora);
}


# All lanes are up when the number stands still.
my $sessions = 0;
poll_until(20 * $azora->patience, sub {
    my $before = $sessions;
    poll_until(0.2, sub { 0 });
    return $before == ($sessions = sessions());
});

is counted()->{status}, 200, 'a request of a bucket of five' for 1 .. 3;

my $load = Azora::Load->start($azora, 3, \&read_and_pay);

for my $turn (1 .. 5) {
    $azora->reload;
    is scalar(grep { $_ } $azora->worker_pids) >= 2, 1, "reload $turn";
}

my $seen = $load->stop;
is_deeply [sort grep { !/^20[01]$/ } keys %{ $seen->{kinds} }], [],
    "none of $seen->{asked} requests failed during five reloads"
    or diag explain $seen->{kinds};
payments_are_there($seen);

is counted()->{status}, 200, 'the bucket still knows its three' for 4 .. 5;
is counted()->{status}, 429, 'and is empty after five';

my $series = join '[^}]*', 'http_server_request_duration_seconds_count\{',
    'method="POST"', 'route="/v1/wallets/\{currency\}/transfers"', '="201"', '';
my ($served) = $azora->get('/metrics')->{body} =~ /^$series\} (\d+)/m;
cmp_ok $served // 0, '>=', scalar keys %{ $seen->{ids} },
    'the metrics counted over all five generations of workers';

$load = Azora::Load->start($azora, 3, \&read_and_pay);
my $old = $azora->master_pid;
$azora->upgrade;
isnt $azora->master_pid, $old, 'a new master runs after USR2 and QUIT';
$seen = $load->stop;
is_deeply [sort grep { !/^20[01]$/ } keys %{ $seen->{kinds} }], [],
    "none of $seen->{asked} requests failed during the upgrade"
    or diag explain $seen->{kinds};
is_sound($azora);

ok poll_until(20 * $azora->patience, sub { sessions() <= $sessions }),
    "the old workers left no connection to PostgreSQL behind"
    or diag sessions() . " instead of $sessions";

done_testing;

#!/usr/bin/env perl

# A worker dies by SIGKILL while clients pay: what was acknowledged is there
# once, what was not is settled by repeating its key, and the shared memory the
# dead one left serves the next.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Load;
use Azora::Process qw(poll_until);
use Azora::Story qw(fund is_sound);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(
    workers => 2,
    expect_alert => qr{worker\ process\ \d+\ exited\ on\ signal\ 9
        |open\ socket\ \#\d+\ left
        |shared\ memory\ zone\ .*\ was\ locked}x,
);

my @people = map { $azora->user("person$_") } 1 .. 4;
fund($azora, $_, 'AZR', 100_000_000_000) for @people;

sub pay {
    my ($n, $key) = @_;
    return $azora->post('/v1/wallets/AZR/transfers', key => $key,
        token => $people[$n % 4]{token}, timeout => 20,
        json => { to => $people[($n + 1) % 4]{id}, amount => '0.00000001' });
}

my $load = Azora::Load->start($azora, 4, sub {
    my ($n, $i) = @_;
    my $key = "pay-$n-$i";
    my $r = eval { pay($n, $key) };
    return ($r ? $r->{status} : 'cut off', $key);
});

for my $turn (1 .. 5) {
    poll_until(1, sub { 0 });       # some load between two deaths
    my $dead = $azora->kill_worker;
    isnt +(grep { $_ == $dead } $azora->worker_pids), 1,
        "worker $dead is gone and has a successor";
}

my $seen = $load->stop;
note explain $seen->{kinds};

is_deeply [grep { !/^(?:201|503|cut off)$/ } keys %{ $seen->{kinds} }], [],
    'clients saw only success, 503 or a cut connection';
cmp_ok $seen->{kinds}{201}, '>', 100, 'most were served';

my %there = map { $_->{key} => $_->{n} } $azora->sql(
    q{SELECT key, count(*) AS n FROM ledger.transfer
      WHERE key LIKE 'pay-%' GROUP BY key});

my %ids = %{ $seen->{ids} };
is_deeply [grep { $ids{$_} eq '201' && !$there{$_} } keys %ids], [],
    'each acknowledged payment is there';
is_deeply [grep { $there{$_} > 1 } keys %there], [], 'none is there twice';

my @unknown = grep { $ids{$_} ne '201' } keys %ids;
my %repeated;

for my $key (@unknown) {
    my ($n) = $key =~ /^pay-(\d+)/;
    $repeated{ pay($n, $key)->{status} }++;
}

is_deeply [grep { $_ != 201 } keys %repeated], [],
    'repeating the ' . @unknown . ' others settles them';
is $azora->value(q{SELECT count(*) FROM ledger.transfer
                   WHERE key LIKE 'pay-%'}),
   scalar keys %ids, 'now each key has its payment';
is_sound($azora);

is $azora->get('/readyz')->{status}, 200, 'the node is ready';
like $azora->get('/metrics')->{body}, qr/^http_server_active_requests /m,
    'and its metrics are readable';

done_testing;

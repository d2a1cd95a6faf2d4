#!/usr/bin/env perl

# Figures that anybody may ask for: they are true, and however many ask, the
# accounts are read once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Process qw(poll_until);
use Azora::Story qw(at_once documented fund is_problem is_sound);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 2);
my $ruth = $azora->user('ruth', roles => ['admin']);
my @people = map { $azora->user("person$_") } 0 .. 9;
my $r;

fund($azora, $people[$_], 'AZR', 100_000_000 * ($_ == 0 ? 11 : 1))
    for 0 .. 9;
$azora->sql(q{SELECT ledger.mint('AZR', 1000),
    ledger.post(ARRAY[ledger.movement(ledger.house('issuance', 'AZR'),
        ledger.house('citadel_fund', 'AZR'), 1000, 'AZR', 'reward_fund')])});
is $azora->post('/v1/admin/ledger/mints', token => $ruth->{token},
    key => 'm', json => { to => $people[1]{id}, currency => 'AZR',
    amount => '0.5', reason => 'x' })->{json}{state}, 'done', 'minted';


subtest 'the economy' => sub {
    $r = $azora->get('/v1/economy');
    documented($azora, $r, 'GET /v1/economy');
    my $json = $r->{json};
    is_deeply [@$json{qw(currency supply citadel_fund escrow wallets
                         holders)}],
              ['AZR', '20.50001000', '0.00001000', '0.00000000',
               '20.50000000', 10], 'what there is and where';
    is_deeply $json->{distribution},
              [{ richest_percent => 1, hold => '0.5365' },
               { richest_percent => 10, hold => '0.5365' },
               { richest_percent => 50, hold => '0.7560' }],
              'how evenly';
    is_deeply [map { { %$_, day => 1 } } @{ $json->{days} }],
              [{ day => 1, rewards => '0.00001000', issued => '0.50000000',
                 burned => '0.00000000' }], 'what came today';

    $r = $azora->get('/v1/economy?currency=KES');
    documented($azora, $r, 'GET /v1/economy');
    is_deeply [@{ $r->{json} }{qw(supply holders)}], ['0.00', 0],
              'of another currency nothing';
    is_problem($azora->get('/v1/economy?currency=XXX'), 404,
               'unknown-currency');
};


subtest 'the trial balance' => sub {
    $r = $azora->get('/v1/ledger/trial-balance');
    documented($azora, $r, 'GET /v1/ledger/trial-balance');
    my %line = map { $_->{currency} => $_ } @{ $r->{json}{items} };
    is_deeply [@{ $line{AZR} }{qw(issued held sum)}],
              ['20.50001000', '20.50001000', '0.00000000'], 'is balanced';

    my @answers = at_once($azora, map {
        ['GET', '/v1/ledger/trial-balance'] } 1 .. 40);
    my %bodies = map { $_->{body} => 1 } grep { $_->{status} == 200 }
                 @answers;
    cmp_ok scalar keys %bodies, '<=', 2, 'forty that ask get one count';

    fund($azora, $people[0], 'AZR', 1);
    ok poll_until(10, sub {
        my ($azr) = grep { $_->{currency} eq 'AZR' }
            @{ $azora->get('/v1/ledger/trial-balance')->{json}{items} };
        return $azr->{issued} eq '20.50001001'
               && $azr->{held} eq '20.50001001';
    }), 'and it follows within seconds';

    # a wrong book is not hidden by the count
    $azora->sql(q{UPDATE ledger.account SET balance = balance + 1
                  WHERE owner = ?}, $people[0]{id});
    ok poll_until(10, sub {
        my ($azr) = grep { $_->{currency} eq 'AZR' }
            @{ $azora->get('/v1/ledger/trial-balance')->{json}{items} };
        return $azr->{sum} eq '0.00000001';
    }), 'money from nowhere shows';
    $azora->sql(q{UPDATE ledger.account SET balance = balance - 1
                  WHERE owner = ?}, $people[0]{id});
    is_sound($azora);
};

done_testing;

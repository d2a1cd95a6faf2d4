#!/usr/bin/env perl

# KYC tiers: of one payment, of a day, of a wallet, and how often; decided in
# the transaction that pays, so that racing ones never pass together.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Process qw(poll_until);
use Azora::Story qw(at_once balance documented fund is_problem is_sound
                    next_day);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 2);
my $ruth = $azora->user('ruth', roles => ['admin']);
my $sam = $azora->user('sam', roles => ['admin']);
my ($amina, $baraka) = map { $azora->user($_) } qw(amina baraka);
my $r;

my $keys = 0;

sub pay {
    my ($from, $to, $amount, %more) = @_;
    return $azora->post('/v1/wallets/KES/transfers',
        token => $from->{token}, key => 'pay-' . ++$keys,
        json => { to => $to->{id}, amount => $amount, %more });
}

# Two administrators set a limit, one a tier.
sub limit {
    my (%limit) = @_;
    my $r = $azora->post('/v1/admin/ledger/limits', token => $ruth->{token},
        key => 'l-' . ++$keys, json => { currency => 'KES', tier => 0,
                                         reason => 'law', %limit });
    is $r->{json}{state}, 'proposed', 'limits take two' or diag $r->{body};
    documented($azora, $r, 'POST /v1/admin/ledger/limits');
    $r = $azora->post("/v1/admin/ledger/operations/$r->{json}{id}/approve",
                      token => $sam->{token}, key => 'a-' . ++$keys);
    is $r->{json}{state}, 'done', join ' ', %limit;
}

sub tier {
    my ($who, $tier) = @_;
    my $r = $azora->post('/v1/admin/ledger/tiers', token => $ruth->{token},
        key => 't-' . ++$keys, json => { account => $who->{id},
                                         tier => $tier, reason => 'papers' });
    documented($azora, $r, 'POST /v1/admin/ledger/tiers');
    is $r->{json}{state}, 'done', "$who->{name} is of tier $tier";
}

fund($azora, $amina, 'KES', 1_000_000);
fund($azora, $amina, 'AZR', 1_000_000_000);
is pay($amina, $baraka, '100')->{status}, 201, 'without limits';


subtest 'of one payment' => sub {
    limit(transfer_max => '50', day_max => '250');
    is_problem(pay($amina, $baraka, '50.01'), 409, 'transfer-limit');
    is_problem(pay($amina, $baraka, '50.01', dry_run => \1), 409,
               'transfer-limit');
    is pay($amina, $baraka, '50')->{status}, 201, 'up to it';
    is $azora->post('/v1/wallets/AZR/transfers', token => $amina->{token},
        key => 'other', json => { to => $baraka->{id}, amount => '9' })
       ->{status}, 201, 'in its currency only';
    is_problem($azora->post('/v1/holds', token => $amina->{token},
        key => 'h1', json => { to => $baraka->{id}, currency => 'KES',
                               amount => '50.01' }), 409, 'transfer-limit');
};


subtest 'of a day, with what was paid before there was a limit' => sub {
    # 150 so far
    my @answers = at_once($azora, map {
        ['POST', '/v1/wallets/KES/transfers', token => $amina->{token},
         key => "day-$_", json => { to => $baraka->{id}, amount => '30' }]
    } 1 .. 12);
    my %seen;
    $seen{"$_->{status} " . ($_->{json}{type} // '')}++ for @answers;
    is_deeply \%seen, { '201 ' => 3, '409 /problems/day-limit' => 9 },
              'three of 30 in the 100 that are left';

    is $azora->post('/v1/holds', token => $amina->{token}, key => 'h2',
        json => { to => $baraka->{id}, currency => 'KES', amount => '9' })
       ->{status}, 201, 'what is held';
    is_problem(pay($amina, $baraka, '1.01'), 409, 'day-limit');
    $r = $azora->get('/v1/wallets/KES/limits', token => $amina->{token});
    documented($azora, $r, 'GET /v1/wallets/{currency}/limits');
    is_deeply $r->{json}, { currency => 'KES', tier => 0, day_left => '1.00',
        transfer_max => '50.00', day_max => '250.00' }, 'she sees it';
    is_problem($azora->get('/v1/wallets/XXX/limits',
                           token => $amina->{token}), 404,
               'unknown-currency');
    is pay($amina, $baraka, '1')->{status}, 201, 'counts, to the cent';
    is_problem(pay($amina, $baraka, '0.01'), 409, 'day-limit');

    $r = $azora->post('/v1/transfers/batch', token => $amina->{token},
        key => 'b1', json => { currency => 'KES', items => [
            { to => $baraka->{id}, amount => '0.01' }] });
    is $r->{json}{items}[0]{type}, '/problems/day-limit', 'also in a list';

    next_day($azora);
    is pay($amina, $baraka, '50')->{status}, 201, 'a new day';
    is $azora->value(q{SELECT spent FROM ledger.spending AS s
        JOIN ledger.account AS a ON a.id = s.account
        WHERE a.owner = ? AND s.day = ledger.today()}, $amina->{id}), 5000,
       'begins at nothing';
    is_sound($azora);
};


subtest 'a better known person may more' => sub {
    is_problem($azora->post('/v1/admin/ledger/tiers',
        token => $ruth->{token}, key => 'four', json => { tier => 4,
        account => $amina->{id}, reason => 'x' }), 422, 'validation-failed',
        '/tier');
    tier($amina, 2);
    is pay($amina, $baraka, '300')->{status}, 201, 'no limit for tier 2';
    limit(tier => 2, transfer_max => '400');
    is_problem(pay($amina, $baraka, '400.01'), 409, 'transfer-limit');
    $r = $azora->get('/v1/admin/ledger/limits', token => $sam->{token});
    documented($azora, $r, 'GET /v1/admin/ledger/limits');
    is_deeply [map { [@$_{qw(tier transfer_max)}] } @{ $r->{json}{items} }],
              [[0, '50.00'], [2, '400.00']], 'by tier';
    tier($amina, 0);
    is_problem(pay($amina, $baraka, '50.01'), 409, 'transfer-limit');
};


subtest 'of a wallet' => sub {
    my $have = balance($azora, $baraka, 'KES');
    limit(balance_max => sprintf '%.2f', ($have + 1000) / 100);

    my @answers = at_once($azora, map {
        ['POST', '/v1/wallets/KES/transfers', token => $amina->{token},
         key => "bal-$_", json => { to => $baraka->{id}, amount => '3' }]
    } 1 .. 8);
    my %seen;
    $seen{"$_->{status} " . ($_->{json}{type} // '')}++ for @answers;
    is_deeply \%seen, { '201 ' => 3, '409 /problems/balance-limit' => 5 },
              'three of 3 in 10';
    is pay($baraka, $amina, '2')->{status}, 409, 'hers is over it already';
    is_deeply [sort keys %{ $azora->get('/v1/wallets/KES/limits',
                            token => $amina->{token})->{json} }],
              [qw(balance_max currency tier)],
              'where a day has no limit, nothing is told of one';
    is_sound($azora);
};


subtest 'how often' => sub {
    my $cy = $azora->user('cy');
    fund($azora, $cy, 'KES', 10_000);
    limit(count_max => 3, count_seconds => 3);

    my @answers = at_once($azora, map {
        ['POST', '/v1/wallets/KES/transfers', token => $cy->{token},
         key => "often-$_", json => { to => $baraka->{id}, amount => '1' }]
    } 1 .. 10);
    my %seen;
    $seen{"$_->{status} " . ($_->{json}{type} // '')}++ for @answers;
    is_deeply \%seen, { '201 ' => 3, '409 /problems/velocity-limit' => 7 },
              'three in three seconds';
    ok poll_until(10, sub { pay($cy, $baraka, '1')->{status} == 201 }),
       'and then again';
    is $azora->value(q{SELECT count(*) FROM ledger.transfer AS t
        JOIN ledger.account AS a ON a.id = t.debit
        WHERE a.owner = ?}, $cy->{id}), 4, 'one more';

    my $dee = $azora->user('dee');
    fund($azora, $dee, 'KES', 10_000);
    my @holds = map { $azora->post('/v1/holds', token => $dee->{token},
        key => "hold-$_", json => { to => $baraka->{id}, currency => 'KES',
                                    amount => '1' })->{status} } 1 .. 4;
    is_deeply \@holds, [201, 201, 201, 409], 'a hold counts as a payment';

    is_problem($azora->post('/v1/admin/ledger/limits',
        token => $ruth->{token}, key => 'half', json => { currency => 'KES',
        tier => 0, count_max => 3, reason => 'x' }), 422, 'invalid-limit',
        '/count_seconds');
    is_problem($azora->post('/v1/admin/ledger/limits',
        token => $ruth->{token}, key => 'half-2', json => {
        currency => 'KES', tier => 0, count_seconds => 3, reason => 'x' }),
        422, 'invalid-limit', '/count_max');
};


subtest 'no limit any more' => sub {
    limit();
    limit(tier => 2);
    is $azora->value('SELECT count(*) FROM ledger.tier_limit'), 0, 'gone';
    is pay($amina, $baraka, '400')->{status}, 201, 'and not felt';
    is_deeply $azora->get('/v1/wallets/KES/limits',
                          token => $amina->{token})->{json},
              { currency => 'KES', tier => 0 }, 'nor told of';
    is_sound($azora);
};

done_testing;

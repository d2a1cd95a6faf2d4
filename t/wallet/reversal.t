#!/usr/bin/env perl

# What was received can be given back, never more than it was; and many
# transfers in one request, each by itself or all or none.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Story qw(at_once balance documented fund is_problem is_sound
                    journaled);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 2);
my ($amina, $baraka, $chidi) = map { $azora->user($_) }
                               qw(amina baraka chidi);
my @amina = (token => $amina->{token});
my @baraka = (token => $baraka->{token});
my @chidi = (token => $chidi->{token});
my $r;

my $keys = 0;
sub fresh { return (key => 'key-' . ++$keys) }

sub pay {
    my ($amount) = @_;
    return $azora->post('/v1/wallets/AZR/transfers', @amina, fresh(),
        json => { to => 'baraka@example.org', amount => $amount })
        ->{json}{id};
}

sub money_is {
    my ($expected, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply [map { balance($azora, $_, 'AZR') / 1_000_000 }
               $amina, $baraka, $chidi], $expected, $name;
}

fund($azora, $amina, 'AZR', 1_000_000_000);


subtest 'a transfer is given back in parts' => sub {
    my $id = pay('5');
    my $path = "/v1/transfers/$id/reversal";
    money_is([500, 500, 0], 'paid');

    is_problem($azora->post($path, @baraka, json => {}), 400,
               'idempotency-key-required');
    is_problem($azora->post($path, @amina, fresh(), json => {}), 403,
               'wrong-party');
    is_problem($azora->post($path, @chidi, fresh(), json => {}), 404,
               'not-found');
    is_problem($azora->post($path, @baraka, fresh(), json => {
        amount => '5.00000001' }), 409, 'reversal-exceeds');
    is_problem($azora->post($path, @baraka, fresh(), json => {
        amount => '0.000000001' }), 422, 'too-many-decimals', '/amount');
    money_is([500, 500, 0], 'refused ones change nothing');

    my @part = (@baraka, key => 'part', json => { amount => '2',
                                                  memo => 'half' });
    $r = $azora->post($path, @part);
    is $r->{status}, 201, 'a part';
    documented($azora, $r, 'POST /v1/transfers/{id}/reversal');
    is_deeply [@{ $r->{json} }{qw(kind amount reversal_of memo)}],
              ['reversal', '2.00000000', $id, 'half'], 'as asked';
    is $azora->post($path, @part)->{body}, $r->{body}, 'a repeat is one';
    money_is([700, 300, 0], 'moved once');
    my $reversal = $r->{json}{id};

    $r = $azora->get("/v1/transfers/$id", @amina);
    is $r->{json}{reversed}, '2.00000000', 'the original tells of it';
    documented($azora, $r, 'GET /v1/transfers/{id}');
    is_problem($azora->post("/v1/transfers/$reversal/reversal", @amina,
                            fresh(), json => {}), 409, 'not-reversible');

    is $azora->post($path, @baraka, fresh(), json => {})->{json}{amount},
       '3.00000000', 'the rest';
    money_is([1000, 0, 0], 'all is back');
    is_problem($azora->post($path, @baraka, fresh(), json => {}), 409,
               'reversal-exceeds');
    is journaled($azora, 'payment.reversed'), 2, 'each is journaled';
    is_sound($azora);
};


subtest 'twenty at once give back no more than there was' => sub {
    my $id = pay('1');
    fund($azora, $baraka, 'AZR', 1_000_000_000);

    my @answers = at_once($azora, map {
        ['POST', "/v1/transfers/$id/reversal", @baraka, fresh(),
         json => { amount => '0.3' }]
    } 1 .. 20);

    my %seen;
    $seen{"$_->{status} " . ($_->{json}{type} // '')}++ for @answers;
    is_deeply \%seen, { '201 ' => 3, '409 /problems/reversal-exceeds' => 17 },
              'three of 0.3 in 1';
    money_is([990, 1010, 0], 'to the cent');
    is_sound($azora);
};


subtest 'what cannot be given back' => sub {
    my $id = pay('1');

    $azora->sql(q{UPDATE ledger.account SET frozen = true WHERE owner = ?},
                $amina->{id});
    is_problem($azora->post("/v1/transfers/$id/reversal", @baraka, fresh(),
                            json => {}), 403, 'account-frozen');
    $azora->sql(q{UPDATE ledger.account SET frozen = false});

    $azora->post('/v1/wallets/AZR/transfers', @baraka, fresh(), json => {
        to => 'chidi@example.org', amount => '11.1' });
    is_problem($azora->post("/v1/transfers/$id/reversal", @baraka, fresh(),
                            json => {}), 409, 'insufficient-funds');

    for my $kind (qw(issue reward escrow_release escrow_refund exchange_buy
                     reversal)) {
        my $got = $azora->value(q{SELECT (ledger.post(ARRAY[ledger.movement(
            ledger.house('issuance', 'AZR'), ledger.wallet($1, 'AZR'), 1,
            'AZR', $2)]))[1]}, $amina->{id}, $kind);
        is_problem($azora->post("/v1/transfers/$got/reversal", @amina,
                                fresh(), json => {}), 409, 'not-reversible');
        $azora->sql(q{SELECT ledger.post(ARRAY[ledger.movement(
            ledger.wallet($1, 'AZR'), ledger.house('issuance', 'AZR'), 1,
            'AZR', 'burn')])}, $amina->{id});
    }
    is_problem($azora->post('/v1/transfers/'
                            . '019a9f00-0000-7000-8000-00000000ffff/reversal',
                            @amina, fresh(), json => {}), 404, 'not-found');
    is_sound($azora);
};


subtest 'many in one request, each by itself' => sub {
    my @items = (
        { to => 'amina@example.org', amount => '1', memo => 'one' },
        { to => 'amina@example.org', amount => '999' },
        { to => 'nobody@example.org', amount => '1' },
        { to => $baraka->{id}, amount => '0.000000001' },
        { to => 'chidi@example.org', amount => '1' },
        { to => $baraka->{id}, amount => '10.1' },
        { to => $baraka->{id}, amount => '0.1' },
    );
    my @ask = (@chidi, key => 'many', json => { currency => 'AZR',
                                                items => \@items });
    money_is([890, 0, 1110], 'before');

    $r = $azora->post('/v1/transfers/batch', @ask);
    is $r->{status}, 200, 'is answered';
    documented($azora, $r, 'POST /v1/transfers/batch');
    is_deeply [map { $_->{type} // $_->{status} } @{ $r->{json}{items} }],
              [201, '/problems/insufficient-funds',
               '/problems/unknown-recipient', '/problems/too-many-decimals',
               '/problems/same-account', 201,
               '/problems/insufficient-funds'], 'item by item';
    is_deeply [@{ $r->{json} }{qw(made refused)}], [2, 5], 'counted';
    money_is([990, 1010, 0], 'what was good moved');

    is $azora->get("/v1/transfers/$r->{json}{items}[0]{transfer}{id}", @amina)
       ->{json}{memo}, 'one', 'a transfer as any other';
    is $azora->post('/v1/transfers/batch', @ask)->{body}, $r->{body},
       'a repeat gets the same answer';
    $ask[-1]{items}[0]{amount} = '2';
    is_problem($azora->post('/v1/transfers/batch', @ask), 422,
               'idempotency-conflict');
    money_is([990, 1010, 0], 'and moves nothing');
    is_sound($azora);
};


subtest 'all or none' => sub {
    my @good = map { { to => 'chidi@example.org', amount => '0.1' } } 1 .. 9;
    my $before = $azora->value('SELECT count(*) FROM ledger.transfer');

    for ([{ to => 'x@example.org', amount => '1' }, 422, 'unknown-recipient',
          '/items/9/to'],
         [{ to => 'chidi@example.org', amount => '10' }, 409,
          'insufficient-funds'])
    {
        my ($bad, @expected) = @$_;
        is_problem($azora->post('/v1/transfers/batch', @amina, fresh(),
            json => { currency => 'AZR', atomic => \1,
                      items => [@good, $bad] }),
            @expected, $expected[0] == 409 ? '/items/9' : ());
    }
    is $azora->value('SELECT count(*) FROM ledger.transfer'), $before,
       'one bad item leaves nothing of the good ones';
    is_problem($azora->post('/v1/transfers/batch', @amina, fresh(), json => {
        currency => 'XXX', items => \@good }), 422, 'unknown-currency',
        '/currency');

    $r = $azora->post('/v1/transfers/batch', @amina, fresh(), json => {
        currency => 'AZR', atomic => \1, items => \@good });
    is $r->{json}{made}, 9, 'good ones are all made';

    $r = $azora->post('/v1/transfers/batch', @amina, fresh(), json => {
        currency => 'AZR', atomic => \1,
        items => [map { { to => $_ % 2 ? $chidi->{id} : $baraka->{id},
                          amount => '0.00000001', memo => "n $_" } }
                  1 .. 1000] });
    is $r->{json}{made}, 1000, 'a thousand'
        or diag substr $r->{body}, 0, 500;
    is_problem($azora->post('/v1/transfers/batch', @amina, fresh(), json => {
        currency => 'AZR', items => [map { { to => $chidi->{id},
        amount => '1' } } 1 .. 1001] }), 422, 'validation-failed', '/items');
    is_sound($azora);
};

done_testing;

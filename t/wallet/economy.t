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


# wallets without money count nowhere
$azora->sql(q{SELECT ledger.wallet(gen_random_uuid(), 'AZR')
              FROM generate_series(1, 30)});


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
    $r = $azora->get('/v1/economy?currency=KES');
    like $r->{headers}{'cache-status'}, qr/^azora; hit; ttl=(?:300|29\d)$/,
        'which nobody has to count again for five minutes';
    is_problem($azora->get('/v1/economy?currency=XXX'), 404,
               'unknown-currency');
};


subtest 'every currency is whole by itself' => sub {
    my ($ann, $bea) = @people[0, 1];
    my @codes = map { $_->{code} }
        @{ $azora->get('/v1/ledger/currencies')->{json}{items} };
    my $keys = 0;
    my $ask = sub {
        my ($who, $path, $json) = @_;
        my $r = $azora->post($path, token => $who->{token},
                             key => 'whole-' . ++$keys,
                             $json ? (json => $json) : ());
        cmp_ok $r->{status}, '<', 300, $path or diag $r->{body};
        return $r->{json};
    };
    cmp_ok scalar @codes, '>=', 8, 'there are several';

    for my $code (grep { $_ ne 'AZR' } @codes) {
        fund($azora, $ann, $code, 1_000_003);
        my $unit = $azora->value('SELECT unit FROM ledger.currency
                                  WHERE code = ?', $code);
        $azora->sql(q{SELECT ledger.do_policy(jsonb_populate_record(
            NULL::ledger.operation, jsonb_build_object('currency', $1::text,
                'arguments', jsonb_build_object('exchange_max', $2::text))))},
            $code, $azora->value('SELECT 900000000000 * $1::numeric',
                                 $unit));
        $azora->sql(q{INSERT INTO ledger.rate VALUES
            ($1, 'AZR', 0.7, 33, now() + interval '1 hour'),
            ('AZR', $1, 1.3, 77, now() + interval '1 hour')}, $code);

        my $minor = sub { $azora->value(
            'SELECT ($1 * $2::numeric)::text', $_[0], $unit) };
        my $paid = $ask->($ann, "/v1/wallets/$code/transfers", {
            to => $bea->{id}, amount => $minor->(70_001) });
        $ask->($bea, "/v1/transfers/$paid->{id}/reversal", {
            amount => $minor->(1_003) });
        my $hold = $ask->($ann, '/v1/holds', { currency => $code,
            to => $bea->{id}, amount => $minor->(50_000) });
        $ask->($bea, "/v1/holds/$hold->{id}/post", {
            amount => $minor->(7) });
        $ask->($ann, '/v1/holds', { currency => $code,
            to => $bea->{id}, amount => $minor->(11) });
        $ask->($ann, "/v1/wallets/$code/splits", {
            amount => $minor->(100), parts => [
                { to => $bea->{id}, bps => 3333 },
                { to => $people[2]{id}, bps => 6667 }] });
        $ask->($ruth, '/v1/admin/ledger/burns', { from => $bea->{id},
            currency => $code, amount => $minor->(5), reason => 'x' });
        $azora->sql(q{SELECT ledger.fund_escrow($1, gen_random_uuid(), $2,
                                                13)}, $ann->{id}, $code);
        $azora->sql(q{SELECT ledger.do_policy(jsonb_populate_record(
            NULL::ledger.operation, jsonb_build_object('currency', 'AZR',
                'arguments', jsonb_build_object('exchange_max',
                                                '900000'))))});

        for my $pair ([$code, 'AZR', $minor->(90_001)],
                      ['AZR', $code, '0.01234567']) {
            my ($sell, $buy, $amount) = @$pair;
            my $quote = $ask->($ann, '/v1/fx/quotes', {
                sell => $sell, buy => $buy, amount => $amount });
            $ask->($ann, "/v1/fx/quotes/$quote->{id}/exchange")
                if $quote->{id};
        }
    }
    is_sound($azora);

    $r = $azora->get('/v1/ledger/trial-balance');
    is_deeply [sort map { $_->{currency} } @{ $r->{json}{items} }],
              [sort @codes], 'a line for each';
    is_deeply [grep { $_->{sum} =~ /[1-9]/ || $_->{issued} ne $_->{held}
                      || $_->{issued} !~ /[1-9]/ } @{ $r->{json}{items} }],
              [], 'each issued, held, and zero together';

    for my $code (@codes) {
        # as it is now, and not as it was when somebody asked before
        my $json = $Azora::HTTP::JSON->decode($azora->value(
            'SELECT (ledger.economy(NULL, ?)).body', $code));
        is $azora->value(
            'SELECT $1::numeric = $2::numeric + $3::numeric + $4::numeric
                                  + $5::numeric + $6::numeric',
            map { $json->{$_} } qw(supply wallets citadel_fund marketplace
                                   escrow exchange)), 1,
           "of $code all that is out is somewhere"
            or diag explain $json;
    }
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

#!/usr/bin/env perl

# Exchange at a rate that holds for a moment, and splits by 1/10000: exact,
# once, and every currency keeps its sum.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Math::BigInt;

use Azora::Process qw(poll_until);
use Azora::Story qw(at_once balance documented fund is_problem is_sound
                    journaled);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 2);
my $ruth = $azora->user('ruth', roles => ['admin']);
my $sam = $azora->user('sam', roles => ['admin']);
my ($amina, $baraka, $chidi) = map { $azora->user($_) }
                               qw(amina baraka chidi);
my @amina = (token => $amina->{token});
my $r;

my $keys = 0;
sub fresh { return (key => 'key-' . ++$keys) }

sub act {
    my ($what, %body) = @_;
    my $r = $azora->post("/v1/admin/ledger/$what", token => $ruth->{token},
                         fresh(), json => { reason => 'market', %body });
    return $r if ($r->{json}{state} // '') ne 'proposed';
    return $azora->post("/v1/admin/ledger/operations/$r->{json}{id}/approve",
                        token => $sam->{token}, fresh());
}

sub quote {
    my (%body) = @_;
    return $azora->post('/v1/fx/quotes', @amina, fresh(), json => {
        sell => 'USD', buy => 'KES', amount => '100', %body });
}

sub take {
    my ($quote) = @_;
    return $azora->post("/v1/fx/quotes/$quote->{json}{id}/exchange", @amina,
                        fresh());
}

fund($azora, $amina, 'USD', 100_000);
fund($azora, $amina, 'AZR', 1_000_000_000);


subtest 'a rate' => sub {
    my %rate = (sell => 'USD', buy => 'KES', rate => '129.253', fee_bps => 50,
                valid_seconds => 3600);

    is_problem(quote(), 409, 'no-rate');
    is_deeply $azora->get('/v1/fx/rates')->{json}{items}, [], 'none';
    is_problem(act('rates', %rate, sell => 'XXX'), 422, 'unknown-currency',
               '/sell');
    is_problem(act('rates', %rate, buy => 'USD'), 422, 'unknown-currency',
               '/buy');

    is_problem(act('rates', %rate, fee_bps => 5001), 422,
               'validation-failed', '/fee_bps');
    $r = $azora->post('/v1/admin/ledger/rates', token => $ruth->{token},
        fresh(), json => { %rate, reason => 'first' });
    documented($azora, $r, 'POST /v1/admin/ledger/rates');
    is $r->{json}{state}, 'proposed', 'the first takes two';
    is_problem(quote(), 409, 'no-rate');
    is act('rates', %rate)->{json}{state}, 'done', 'then it is set';

    $r = $azora->post('/v1/admin/ledger/rates', token => $ruth->{token},
        fresh(), json => { %rate, rate => '130.5', reason => 'x' });
    is $r->{json}{state}, 'done', 'a small change is one\'s to make';
    $r = $azora->post('/v1/admin/ledger/rates', token => $ruth->{token},
        fresh(), json => { %rate, rate => '200', reason => 'x' });
    is $r->{json}{state}, 'proposed', 'a jump is not';
    act('rates', %rate);

    my $shown = sub {
        my ($rate) = @_;
        return poll_until(20 * $azora->patience, sub {
            $r = $azora->get('/v1/fx/rates');
            ($r->{json}{items}[0]{rate} // '') eq $rate
        });
    };
    ok $shown->('129.253'), 'anybody sees it';
    documented($azora, $r, 'GET /v1/fx/rates');
    is_deeply [@{ $r->{json}{items}[0] }{qw(sell buy fee_bps)}],
              ['USD', 'KES', 50], 'with its fee';

    ok poll_until(10, sub {
        ($azora->get('/v1/fx/rates')->{headers}{'cache-status'} // '')
            =~ /hit/
    }), 'who comes next asks no database';
    is act('rates', %rate, rate => '130.1')->{json}{state}, 'done',
       'a change';
    ok $shown->('130.1'), 'is seen at once';

    my $tag = $r->{headers}{etag} // '"none"';
    $azora->sql('UPDATE ledger.rate SET valid_until = now()');
    ok poll_until(20 * $azora->patience, sub {
        $r = $azora->get('/v1/fx/rates', headers => {
            'If-None-Match' => $tag });
        $r->{status} == 200 && !@{ $r->{json}{items} }
    }), 'one that lapses goes, also for who has seen it';
    act('rates', %rate);
};


subtest 'many small changes are a large one' => sub {
    my %rate = (sell => 'USD', buy => 'KES', rate => '129.253', fee_bps => 50,
                valid_seconds => 3600);
    my $alone = sub {
        return $azora->post('/v1/admin/ledger/rates', fresh(),
            token => $ruth->{token},
            json => { %rate, @_, reason => 'step' })->{json}{state};
    };

    is $alone->(rate => '140'), 'done', 'one step';
    is $alone->(rate => '145'), 'proposed', 'the next leads too far';
    is $alone->(rate => '118'), 'done', 'the other way';
    is $alone->(rate => '115'), 'proposed', 'neither';
    is $alone->(sell => 'AZR'), 'proposed', 'what was agreed on for others';
    is $alone->(buy => 'NGN'), 'proposed', 'is no price of these';
    is $alone->(fee_bps => 900), 'done', 'a fee is a part of the price';
    is $azora->value(q{SELECT fee_bps FROM ledger.rate
        WHERE (sell, buy) = ('USD', 'KES')}), 900, 'which is set with it';
    is $alone->(rate => '128', fee_bps => 1000), 'proposed', 'not too much';
    is $alone->(fee_bps => 5000), 'proposed', 'nor at once';

    is act('rates', %rate, rate => '145')->{json}{state}, 'done',
       'two may';
    is $alone->(rate => '155'), 'done', 'and one goes on from there';

    # what held before today
    $azora->sql(q{UPDATE ledger.operation
                  SET created_at = created_at - interval '1 day'});
    is $alone->(rate => '168'), 'done', 'a day has a step of its own';
    is $alone->(rate => '180'), 'proposed', 'and one only';
    act('rates', %rate);
    act('rates', %rate, rate => '131');
    is act('rates', %rate)->{json}{state}, 'done', 'back';
};


subtest 'an exchange' => sub {
    is_problem(quote(amount => '0.001'), 422, 'too-many-decimals',
               '/amount');
    $r = quote();
    is $r->{status}, 201, 'a quote';
    documented($azora, $r, 'POST /v1/fx/quotes');
    # 100.00 - 0.50 = 99.50; * 129.253 = 12860.6735
    is_deeply [@{ $r->{json} }{qw(state fee sell_amount buy_amount)}],
              ['open', '0.50', '100.00', '12860.67'], 'rounded down';
    my $quote = $r;
    documented($azora, $azora->get("/v1/fx/quotes/$r->{json}{id}", @amina),
               'GET /v1/fx/quotes/{id}');
    is_problem($azora->get("/v1/fx/quotes/$r->{json}{id}",
                           token => $baraka->{token}), 404, 'not-found');
    is_problem($azora->post("/v1/fx/quotes/$r->{json}{id}/exchange",
               token => $baraka->{token}, fresh()), 404, 'not-found');

    is_problem(take($quote), 409, 'no-liquidity');
    is balance($azora, $amina, 'USD'), 100_000, 'nothing moved';
    act('policies', currency => 'KES', exchange_max => '13000');

    my @answers = at_once($azora, map {
        ['POST', "/v1/fx/quotes/$quote->{json}{id}/exchange", @amina,
         fresh()] } 1 .. 12);
    my %seen;
    $seen{"$_->{status} " . ($_->{json}{type} // '')}++ for @answers;
    is_deeply \%seen, { '200 ' => 1, '409 /problems/wrong-state' => 11 },
              'once, whoever asks how often';
    my ($taken) = grep { $_->{status} == 200 } @answers;
    documented($azora, $taken, 'POST /v1/fx/quotes/{id}/exchange');
    is_deeply [map { balance($azora, $amina, $_) } qw(USD KES)],
              [90_000, 1_286_067], 'given and got';
    is $azora->value(q{SELECT sum(balance) FROM ledger.account
        WHERE currency = 'USD' AND kind = 'marketplace'}), 50, 'the fee';
    is $azora->value(q{SELECT balance FROM ledger.account
        WHERE currency = 'KES' AND kind = 'exchange'}), -1_286_067,
       'the house owes';
    is scalar @{ $taken->{json}{transfers} }, 3, 'by three movements';
    is journaled($azora, 'fx.exchanged'), 1, 'journaled';

    is_problem(take(quote(amount => '2')), 409, 'no-liquidity');
    is_problem(take(quote(amount => '900.01')), 409, 'insufficient-funds');
    $r = act('policies', currency => 'KES', exchange_max => '1');
    is_problem($r, 409, 'credit-in-use');

    my $late = quote(amount => '1');
    $azora->sql('UPDATE ledger.quote SET expires_at = now() WHERE id = ?',
                $late->{json}{id});
    is_problem(take($late), 409, 'quote-expired');
    is $azora->get("/v1/fx/quotes/$late->{json}{id}", @amina)
       ->{json}{state}, 'expired', 'it says so';
    $azora->sql('UPDATE ledger.rate SET valid_until = now()');
    is_problem(quote(), 409, 'no-rate');
    is_sound($azora);
};


subtest 'to the last unit and the last second' => sub {
    my %pair = (sell => 'ZAR', buy => 'GHS');
    my %rate = (%pair, rate => '2', valid_seconds => 20);
    my $ask = sub { quote(%pair, amount => $_[0]) };
    my $holds = sub {
        my ($quote, $until) = @_;
        return $azora->value(qq{SELECT q.expires_at = $until
            FROM ledger.quote AS q JOIN ledger.rate AS r USING (sell, buy)
            WHERE q.id = ?}, $quote->{json}{id});
    };

    fund($azora, $amina, 'ZAR', 1000);
    act('policies', currency => 'GHS', exchange_max => '20');

    is act('rates', %rate)->{json}{state}, 'done', 'for 20 seconds';
    is $holds->($ask->('1'), 'r.valid_until'), 1, 'a quote holds no longer';
    is act('rates', %rate, valid_seconds => 3600)->{json}{state}, 'done',
       'for an hour';
    is $holds->($ask->('1'), q{q.created_at + interval '30 seconds'}), 1,
       'a quote holds half a minute';

    my ($all, $more) = map { $ask->($_) } '10', '0.01';
    is take($all)->{status}, 200, 'all that one has for all the house has';
    is_deeply [map { balance($azora, $amina, $_) } qw(ZAR GHS)], [0, 2000],
              'to the cent';
    is_problem(take($more), 409, 'insufficient-funds');
    fund($azora, $amina, 'ZAR', 1);
    is_problem(take($more), 409, 'no-liquidity');
    is $azora->value('SELECT count(DISTINCT reference) || $$ $$ || count(*)
        FROM ledger.transfer WHERE reference = ?', $all->{json}{id}), '1 2',
       'its movements refer to it';

    act('rates', %rate, rate => '0.1', valid_seconds => 3600);
    is_problem($ask->('0.09'), 422, 'amount-out-of-range', '/amount');
    is $ask->('0.1')->{json}{buy_amount}, '0.01', 'for ten cents one';
    is_sound($azora);
};


subtest 'quotes that nobody took' => sub {
    my $used = $azora->value('SELECT id FROM ledger.quote
                              WHERE used_at IS NOT NULL LIMIT 1');
    my ($old, $new) = map { quote(sell => 'ZAR', buy => 'GHS',
                                  amount => '1')->{json}{id} } 1 .. 2;

    $azora->sql(q{UPDATE ledger.quote
        SET expires_at = now() - $2::interval WHERE id = $1}, @$_)
        for [$used, '30 hours'], [$old, '25 hours'], [$new, '23 hours'];
    $azora->sql('SELECT ledger.purge_quotes(100)');
    is_deeply [map { $azora->value('SELECT count(*) FROM ledger.quote
                                    WHERE id = ?', $_) } $used, $old, $new],
              [1, 0, 1], 'go after a day, and no others';
};


subtest 'exact, whatever the decimals' => sub {
    my $wrong = 0;

    for my $case (['AZR', 8, 'USD', 2, '0.123456789012345678', 7],
                  ['AZR', 8, 'ETH', 9, '0.000321', 0],
                  ['USD', 2, 'BTC', 8, '0.0000103', 33]) {
        my ($sell, $digits, $buy, $places, $rate, $fee) = @$case;
        act('rates', sell => $sell, buy => $buy, rate => $rate,
            fee_bps => $fee, valid_seconds => 600);

        for (1 .. 8) {
            my $minor = Math::BigInt->new(10 ** $digits + int rand 1e12);
            my $text = $minor->bstr;
            substr $text, -$digits, 0, '.';
            $r = quote(sell => $sell, buy => $buy, amount => $text);

            my $cut = $minor * $fee / 10000;
            my ($parts) = $rate =~ /\.(\d+)$/;
            my $got = ($minor - $cut) * Math::BigInt->new($rate =~ s/\.//r)
                      * Math::BigInt->new(10) ** $places
                      / Math::BigInt->new(10) ** (length($parts) + $digits);
            my ($said) = ($r->{json}{buy_amount} // 'x') =~ s/\.//r =~ /(\d+)/;
            next if $got == 0 && $r->{status} == 422;
            $wrong++ if Math::BigInt->new($said // 0) != $got;
        }
    }
    is $wrong, 0, 'as integers say';
};


subtest 'the parts of every amount make the whole' => sub {
    for my $bps ('{10000}', '{5000,5000}', '{3333,3333,3334}', '{9000,1000}',
                 '{1,9999}', '{9999,1}', '{2500,2500,2500,2500}',
                 '{8500,1499,1}') {
        is $azora->value(q{
            SELECT count(*) FROM generate_series(0, 10000) AS m (minor),
                 LATERAL ledger.split_minor(m.minor, $1::int[]) AS s (parts)
            WHERE m.minor <> (SELECT sum(p) FROM unnest(s.parts) AS u (p))
               OR EXISTS (SELECT 1 FROM unnest(s.parts) AS u (p)
                          WHERE p < 0)}, $bps), 0, "0 to 10,000 by $bps";
    }
    is $azora->value(q{SELECT sum(p) FROM unnest(ledger.split_minor(
        9223372036854775807, '{3333,3333,3334}')) AS u (p)}),
       '9223372036854775807', 'also of the largest';
    is_deeply $azora->value(q{SELECT ledger.split_minor(100,
        '{3333,3333,3334}')}), [34, 33, 33], 'the rest is the first one\'s';
};


subtest 'a payment that is split' => sub {
    my $before = balance($azora, $amina, 'AZR');
    my %ask = (amount => '0.00000100', memo => 'song', parts => [
        { to => 'baraka@example.org', bps => 3333 },
        { to => $chidi->{id}, bps => 6667 }]);
    my $path = '/v1/wallets/AZR/splits';

    for ([{ parts => [{ to => $chidi->{id}, bps => 9999 }] }, 422,
          'invalid-split', '/parts'],
         [{ parts => [{ to => $chidi->{id}, bps => 5000 },
                      { to => $baraka->{id}, bps => 5001 }] }, 422,
          'invalid-split', '/parts'],
         [{ amount => '0.00000001' }, 422, 'invalid-split', '/amount'],
         [{ parts => [{ to => $chidi->{id}, bps => 10000 },
                      { to => $baraka->{id}, bps => 0 }] }, 422,
          'validation-failed', '/parts/1/bps'],
         [{ parts => [{ to => $chidi->{id}, bps => 5000 },
                      { to => 'x@example.org', bps => 5000 }] }, 422,
          'unknown-recipient', '/parts/1/to'],
         [{ amount => '10000' }, 409, 'insufficient-funds', '/parts/0'])
    {
        my ($change, @expected) = @$_;
        is_problem($azora->post($path, @amina, fresh(), json => {
            %ask, %$change }), @expected);
    }
    is_problem($azora->post('/v1/wallets/XXX/splits', @amina, fresh(),
                            json => \%ask), 404, 'unknown-currency');
    is balance($azora, $amina, 'AZR'), $before, 'nothing moved';

    $r = $azora->post($path, @amina, fresh(), json => \%ask);
    is $r->{status}, 200, 'all of it';
    documented($azora, $r, 'POST /v1/wallets/{currency}/splits');
    is_deeply [map { balance($azora, $_, 'AZR') } $baraka, $chidi],
              [34, 66], 'each has theirs';
    is balance($azora, $amina, 'AZR'), $before - 100, 'to the last unit';
    is_sound($azora);
};

done_testing;

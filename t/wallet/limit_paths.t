#!/usr/bin/env perl

# Limits hold whichever way money goes: transfers, lists, holds, exchanges and
# escrow, also when several of them race, and whatever was paid before a limit
# or a tier changed.

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
my $r;

my $keys = 0;
sub fresh { return (key => 'key-' . ++$keys) }

# What two administrators decided, as the owner of the database.
sub rule {
    my ($action, $currency, %arguments) = @_;
    $azora->sql(qq{SELECT ledger.do_$action(jsonb_populate_record(
        NULL::ledger.operation, jsonb_build_object('currency', \$1::text,
            'arguments', \$2::jsonb)))}, $currency,
        $Azora::HTTP::JSON->encode(\%arguments));
}

sub limit {
    my ($currency, %limit) = @_;
    rule('tier_limit', $currency, tier => 0, %limit);
}

sub pay {
    my ($from, $to, $amount, $currency) = @_;
    return $azora->post('/v1/wallets/' . ($currency // 'KES') . '/transfers',
        token => $from->{token}, fresh(),
        json => { to => $to->{id}, amount => $amount });
}

sub hold {
    my ($from, $to, $amount, %more) = @_;
    my $r = $azora->post('/v1/holds', token => $from->{token}, fresh(),
        json => { to => $to->{id}, currency => 'KES', amount => $amount,
                  %more });
    is $r->{status}, 201, "held $amount" or diag $r->{body};
    return $r->{json}{id};
}

sub post_request {
    my ($who, $id, %body) = @_;
    return ['POST', "/v1/holds/$id/post", token => $who->{token}, fresh(),
            json => \%body];
}

sub post_hold { return (at_once($azora, post_request(@_)))[0] }

sub seen {
    my %seen;
    $seen{"$_->{status} " . ($_->{json}{type} // '')}++ for @_;
    return \%seen;
}

sub day_left {
    my ($who) = @_;
    return $azora->get('/v1/wallets/KES/limits', token => $who->{token})
           ->{json}{day_left};
}

my $people = 0;
sub person {
    my ($currency, $minor) = @_;
    my $person = $azora->user('person' . ++$people);
    fund($azora, $person, $currency, $minor) if $minor;
    return $person;
}


subtest 'what a wallet may come to, when a hold is posted' => sub {
    my ($payer, $payee) = (person(KES => 100_000), person(KES => 1000));
    limit('KES', balance_max => '20');

    my $id = hold($payer, $payee, '15');
    is_problem(post_hold($payee, $id), 409, 'balance-limit');
    is_problem(post_hold($payer, $id), 409, 'balance-limit');
    is $azora->get("/v1/holds/$id", token => $payer->{token})
       ->{json}{state}, 'pending', 'it stays held';
    is balance($azora, $payee, 'KES'), 1000, 'nothing moved';
    is post_hold($payee, $id, amount => '4')->{json}{posted}, '4.00',
       'a part that fits is paid';
    is balance($azora, $payee, 'KES'), 1400, 'so';

    my @holds = map { hold($payer, $payee, '4') } 1 .. 4;
    my @answers = at_once($azora, map { post_request($payee, $_) } @holds);
    is_deeply seen(@answers), { '200 ' => 1,
                                '409 /problems/balance-limit' => 3 },
              'one of four racing ones fits';
    is balance($azora, $payee, 'KES'), 1800, 'to the cent';

    @answers = at_once($azora,
        (map { ['POST', '/v1/wallets/KES/transfers', fresh(),
                token => $payer->{token}, json => { to => $payee->{id},
                                                    amount => '1.5' }] }
         1 .. 4),
        map { post_request($payee, $_, amount => '1.5') } @holds);
    is scalar(grep { $_->{status} < 300 } @answers), 1,
       'also when transfers race with it';
    is balance($azora, $payee, 'KES'), 1950, 'once';
    is_sound($azora);
};


subtest 'what settles by itself waits for room' => sub {
    my ($payer, $payee, $other) = (person(KES => 100_000),
                                   person(KES => 1900), person('KES'));
    my $soon = $azora->value(q{SELECT azora.rfc3339(now()
                                                    + interval '1 second')});
    my $full = hold($payer, $payee, '5', settles_at => $soon);
    my $next = hold($payer, $other, '5', settles_at => $soon);
    my $state = sub { $azora->get("/v1/holds/$_[0]",
        token => $payer->{token})->{json}{state} };

    ok poll_until(15, sub { $state->($next) eq 'posted' }),
       'who has room is paid';
    is $azora->value('SELECT ledger.settle_holds(10)'), 0,
       'the task passes over the other';
    is $state->($full), 'pending', 'which waits';
    is balance($azora, $payee, 'KES'), 1900, 'and has nothing of it';

    is pay($payee, $other, '5')->{status}, 201, 'when there is room';
    ok poll_until(15, sub { $state->($full) eq 'posted' }), 'it is paid';
    is balance($azora, $payee, 'KES'), 1900, 'all of it';
    is_sound($azora);
};


subtest 'what an exchange brings' => sub {
    my $person = person(USD => 100_000);
    rule('rate', undef, sell => 'USD', buy => 'KES', rate => '100',
         fee_bps => 100, valid_seconds => 3600);
    rule('policy', 'KES', exchange_max => '100000');
    my $take = sub {
        my $quote = $azora->post('/v1/fx/quotes', token => $person->{token},
            fresh(), json => { sell => 'USD', buy => 'KES',
                               amount => $_[0] });
        return $azora->post("/v1/fx/quotes/$quote->{json}{id}/exchange",
                            token => $person->{token}, fresh());
    };

    is_problem($take->('0.22'), 409, 'balance-limit');
    is $take->('0.20')->{status}, 200, 'what fits';
    is balance($azora, $person, 'KES'), 2000, 'is had';

    limit('KES');
    limit('USD', count_max => 2, count_seconds => 3600);
    is $take->('100')->{status}, 200, 'with a fee';
    is_problem($take->('1'), 409, 'velocity-limit');
    is $azora->value(q{SELECT count(*) FROM ledger.transfer AS t
        JOIN ledger.account AS a ON a.id = t.debit
        WHERE a.owner = ? AND t.currency = 'USD'}, $person->{id}), 3,
       'is one payment and not two';
    limit('USD');
    is_sound($azora);
};


subtest 'all ways at once share one day' => sub {
    my ($payer, $payee) = (person(KES => 100_000), person('KES'));
    limit('KES', day_max => '100');

    for my $round (1 .. 3) {
        my @token = (token => $payer->{token});
        my %to = (to => $payee->{id}, amount => '30');
        my @answers = at_once($azora,
            (map { ['POST', '/v1/wallets/KES/transfers', @token, fresh(),
                    json => { %to }] } 1 .. 4),
            (map { ['POST', '/v1/holds', @token, fresh(),
                    json => { %to, currency => 'KES' }] } 1 .. 4),
            (map { ['POST', '/v1/transfers/batch', @token, fresh(),
                    json => { atomic => \1, currency => 'KES',
                              items => [{ %to }] }] } 1 .. 4));

        is scalar(grep { $_->{status} < 300 } @answers), 3,
           'three of 30 in 100';
        is_deeply [grep { $_ ne '/problems/day-limit' }
                   map { $_->{json}{type} }
                   grep { $_->{status} >= 300 } @answers], [],
                  'the others hear why';
        is day_left($payer), '10.00', 'what is left';
        next_day($azora);
        is day_left($payer), '100.00', 'and a new day';
    }
    is_sound($azora);
};


subtest 'what was paid before counts' => sub {
    my ($payer, $payee) = (person(KES => 100_000), person(KES => 100_000));

    rule('tier', undef, owner => $payer->{id}, tier => 2);
    is pay($payer, $payee, '70')->{status}, 201, 'without a limit of a tier';
    rule('tier', undef, owner => $payer->{id}, tier => 0);
    is day_left($payer), '30.00', 'in the tier that has one';
    is_problem(pay($payer, $payee, '30.01'), 409, 'day-limit');
    is pay($payer, $payee, '10')->{status}, 201, 'to the cent';

    next_day($azora);
    rule('tier', undef, owner => $payer->{id}, tier => 2);
    is pay($payer, $payee, '99')->{status}, 201, 'the next day';
    rule('tier', undef, owner => $payer->{id}, tier => 0);
    is_problem(pay($payer, $payee, '1.01'), 409, 'day-limit');

    limit('USD', day_max => '1');
    limit('KES');
    is pay($payer, $payee, '0.50')->{status}, 201, 'while there is none';
    limit('KES', day_max => '100');
    is $azora->value(q{SELECT day_max FROM ledger.tier_limit
                       WHERE currency = 'USD' AND tier = 0}), 100,
       'of this currency: another one has its own';
    limit('USD');
    is day_left($payer), '0.50', 'the same day, when it is back';
    is_problem(pay($payer, $payee, '0.51'), 409, 'day-limit');
    is pay($payer, $payee, '0.50')->{status}, 201, 'all of it';
    is_sound($azora);
};


subtest 'so does what was promised and exchanged' => sub {
    my ($payer, $payee) = (person(KES => 100_000), person('KES'));
    my @token = (token => $payer->{token});
    my $try = sub {
        return $azora->post('/v1/holds', @token, fresh(), json => {
            to => $payee->{id}, currency => 'KES', amount => $_[0] });
    };

    limit('KES');
    rule('rate', undef, sell => 'KES', buy => 'USD', rate => '0.1',
         fee_bps => 100, valid_seconds => 3600);
    rule('policy', 'USD', exchange_max => '1000');
    hold($payer, $payee, '5');
    my $quote = $azora->post('/v1/fx/quotes', @token, fresh(), json => {
        sell => 'KES', buy => 'USD', amount => '10' })->{json};
    is $azora->post("/v1/fx/quotes/$quote->{id}/exchange", @token, fresh())
       ->{json}{fee}, '0.10', 'exchanged, with a fee';
    is pay($payer, $payee, '1')->{status}, 201, 'and paid, without a limit';

    limit('KES', day_max => '100', transfer_max => '60');
    is day_left($payer), '84.00', 'all of it';
    is_problem($try->('60.01'), 409, 'transfer-limit');
    is $try->('60')->{status}, 201, 'a hold as large as a payment may be';
    is_problem($try->('24.01'), 409, 'day-limit');
    is $try->('24')->{status}, 201, 'all that is left of the day';
    is day_left($payer), '0.00', 'nothing more';
    limit('KES', day_max => '50');
    is day_left($payer), '0.00', 'and never less than that';
    is_sound($azora);
};


subtest 'a day begins at midnight' => sub {
    my ($payer, $payee) = (person(KES => 100_000), person('KES'));

    limit('KES');
    pay($payer, $payee, $_) for '3', '2';
    $azora->sql($_) for 'ALTER TABLE ledger.transfer DISABLE TRIGGER USER',
        qq{UPDATE ledger.transfer AS t
           SET created_at = ledger.today()::timestamp AT TIME ZONE 'UTC'
               - interval '1 us' * CASE t.amount WHEN 200 THEN 0
                                                 WHEN 300 THEN 1 ELSE 2 END
           FROM ledger.account AS a
           WHERE a.id IN (t.debit, t.credit)
             AND a.owner = '$payer->{id}'},
        'ALTER TABLE ledger.transfer ENABLE TRIGGER USER';
    limit('KES', day_max => '100');
    is day_left($payer), '98.00', 'to the microsecond';
    is_sound($azora);
};


subtest 'how often, of late' => sub {
    my $payee = person('KES');
    my %way = (
        transfer => sub { pay($_[0], $payee, '1')->{status} },
        hold => sub {
            $azora->post('/v1/holds', token => $_[0]{token}, fresh(),
                json => { to => $payee->{id}, currency => 'KES',
                          amount => '1' })->{status} },
        escrow => sub {
            eval { $azora->sql(q{SELECT ledger.fund_escrow($1,
                       gen_random_uuid(), 'KES', 100)}, $_[0]{id}); 1 }
                and return 201;
            return $@ =~ /velocity-limit/ ? 409 : $@ },
    );
    limit('KES', count_max => 2, count_seconds => 3600);

    for my $name (sort keys %way) {
        my $payer = person(KES => 100_000);
        is_deeply [map { $way{$name}->($payer) } 1 .. 3], [201, 201, 409],
                  "$name: two in an hour";
        next_day($azora);
        is_deeply [map { $way{$name}->($payer) } 1 .. 3], [201, 201, 409],
                  'and as many the next day';
    }

    my $payer = person(KES => 100_000);
    my $id = hold($payer, $payee, '1');
    is post_hold($payee, $id)->{json}{state}, 'posted', 'a hold that is paid';
    is pay($payer, $payee, '1')->{status}, 201, 'is one payment';
    is_problem(pay($payer, $payee, '1'), 409, 'velocity-limit');
    is_sound($azora);
};


subtest 'of one\'s own tier and currency' => sub {
    my ($payer, $payee) = (person(KES => 100_000), person(KES => 1000));

    limit('KES', day_max => '500');
    rule('tier_limit', 'KES', tier => 2, balance_max => '1',
         transfer_max => '1');
    limit('USD', transfer_max => '0.01', balance_max => '0.01');
    is pay($payer, $payee, '5')->{status}, 201, 'a transfer';
    is post_hold($payee, hold($payer, $payee, '5'))->{json}{posted}, '5.00',
       'a hold';
    rule('tier_limit', 'KES', tier => 2);
    limit('USD');
    is_sound($azora);
};


subtest 'what is given back is no payment' => sub {
    my ($payer, $payee) = (person(KES => 100_000), person('KES'));
    limit('KES', day_max => '100', count_max => 2, count_seconds => 3600);
    my @paid = map { pay($payer, $payee, '40')->{json}{id} } 1 .. 2;

    for my $id (@paid) {
        is $azora->post("/v1/transfers/$id/reversal", fresh(),
                        token => $payee->{token}, json => {
                            amount => '30' })->{status}, 201, 'given back';
    }
    is day_left($payee), '100.00', 'they paid nothing';
    is pay($payee, $payer, '20')->{status}, 201, 'and may';
    is day_left($payee), '80.00', 'which counts';
    is day_left($payer), '20.00', 'what comes back makes no room';
    is_sound($azora);
};


subtest 'escrow is paid into as anybody is paid' => sub {
    my $payer = person(KES => 100_000);
    limit('KES', transfer_max => '50', day_max => '60');
    my $fund = sub {
        eval { $azora->sql(q{SELECT ledger.fund_escrow($1, gen_random_uuid(),
                                                       'KES', $2)},
                           $payer->{id}, $_[0]); 1 } and return 'funded';
        return $@ =~ /(\w+-limit)/ ? $1 : $@;
    };

    is $fund->(5001), 'transfer-limit', 'not too much at once';
    is $fund->(4000), 'funded', 'less';
    is day_left($payer), '20.00', 'counts';
    is $fund->(2001), 'day-limit', 'in all';
    is_sound($azora);
};

done_testing;

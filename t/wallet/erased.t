#!/usr/bin/env perl

# Whoever was forgotten gets no more money: nothing reaches a wallet that
# nobody can open, what was promised to it is free again, what it promised is
# kept, and what was paid before stays answered.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Process qw(poll_until);
use Azora::Story qw(balance fund is_problem is_sound journaled);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 2);
my ($ruth, $sam) = map { $azora->user($_, roles => ['admin']) } qw(ruth sam);
my ($amina, $kofi, $chidi) = map { $azora->user($_) } qw(amina kofi chidi);
my @amina = (token => $amina->{token});
my $r;

my $keys = 0;
sub fresh { return (key => 'key-' . ++$keys) }

sub later {
    return $azora->value(q{SELECT azora.rfc3339(now() + $1
                                                * interval '1 second')}, @_);
}

sub hold {
    my ($from, $to, %more) = @_;
    my $r = $azora->post('/v1/holds', token => $from->{token}, fresh(),
        json => { to => $to->{id}, currency => 'AZR', amount => '1',
                  %more });
    is $r->{status}, 201, 'held' or diag $r->{body};
    return $r->{json}{id};
}

sub state_of {
    return $azora->value('SELECT state FROM ledger.hold WHERE id = ?', @_);
}

fund($azora, $_, 'AZR', 1_000_000_000) for $amina, $kofi;
$azora->patch('/v1/me', token => $kofi->{token},
              json => { handle => 'kofi_k' });

my @paid = map {
    [$_, @amina, key => "paid-$_->{to}", json => { amount => '1', %$_ }]
} { to => $kofi->{id} }, { to => 'kofi@example.org' }, { to => '@kofi_k' },
  { to => $kofi->{id}, memo => 'm', metadata => { n => 1 } };
$paid[3][4] = 'paid-more';
my @first = map { my (undef, @ask) = @$_;
                  $azora->post('/v1/wallets/AZR/transfers', @ask) } @paid;
is_deeply [map { $_->{status} } @first], [(201) x 4],
          'to his id, address and handle';
my $his = $azora->post('/v1/wallets/AZR/transfers', fresh(),
    token => $kofi->{token}, json => { to => $chidi->{id}, amount => '2' });

my $promised = hold($amina, $kofi);
my $settles = hold($amina, $kofi, settles_at => later(3600));
my $owes = hold($kofi, $chidi, settles_at => later(4));
my @proposed = map {
    $azora->post('/v1/admin/ledger/mints', fresh(), token => $ruth->{token},
        json => { to => $kofi->{id}, reason => 'a prize', %$_ })->{json}
} { currency => 'AZR', amount => '20000' },
  { currency => 'KES', amount => '2000000' };

is $azora->delete('/v1/me', token => $kofi->{token})->{status}, 204,
   'he is forgotten';
my $left = balance($azora, $kofi, 'AZR');


subtest 'nothing reaches him' => sub {
    for my $to ($kofi->{id}, 'kofi@example.org', '@kofi_k') {
        is_problem($azora->post('/v1/wallets/AZR/transfers', @amina, fresh(),
            json => { to => $to, amount => '1' }), 422, 'unknown-recipient',
            '/to');
        is_problem($azora->post('/v1/holds', @amina, fresh(), json => {
            to => $to, currency => 'AZR', amount => '1' }), 422,
            'unknown-recipient', '/to');
        is_problem($azora->post('/v1/transfers/batch', @amina, fresh(),
            json => { atomic => \1, currency => 'AZR', items => [
                { to => $chidi->{id}, amount => '1' },
                { to => $to, amount => '1' }] }), 422, 'unknown-recipient',
            '/items/1/to');
    }
    is_problem($azora->post('/v1/admin/ledger/mints', fresh(),
        token => $ruth->{token}, json => { to => $kofi->{id}, amount => '1',
        currency => 'AZR', reason => 'x' }), 422, 'unknown-recipient',
        '/to');
    is_problem($azora->post("/v1/transfers/$his->{json}{id}/reversal",
        token => $chidi->{token}, fresh(), json => {}), 409,
        'not-reversible');
    is balance($azora, $kofi, 'AZR'), $left, 'no more than he had';
    is_sound($azora);
};


subtest 'what was proposed for him' => sub {
    for my $operation (@proposed) {
        my $currency = $operation->{currency};

        is $operation->{state}, 'proposed', "$currency, and waits";
        is_problem($azora->post(
            "/v1/admin/ledger/operations/$operation->{id}/approve", fresh(),
            token => $sam->{token}), 403, 'account-frozen');
    }
    is balance($azora, $kofi, 'AZR'), $left, 'no more than he had';
    is balance($azora, $kofi, 'KES'), 0,
       'nor anything of what he never had';
    is_sound($azora);
};


subtest 'what was promised' => sub {
    is_deeply [map { state_of($_) } $promised, $settles],
              ['voided', 'voided'], 'to him is given up';
    is journaled($azora, 'hold.voided'), 2, 'and journaled';
    is $azora->get('/v1/wallets/AZR', @amina)->{json}{pending},
       '0.00000000', 'she has it again';
    ok poll_until(20, sub { state_of($owes) eq 'posted' }),
       'by him is paid in time';
    is balance($azora, $chidi, 'AZR'), 300_000_000, 'to whom it was';
    is_sound($azora);
};


subtest 'what was paid is answered as before' => sub {
    for my $i (0 .. $#paid) {
        my (undef, @ask) = @{ $paid[$i] };
        $r = $azora->post('/v1/wallets/AZR/transfers', @ask);
        is_deeply [$r->{status}, $r->{json}{id}],
                  [201, $first[$i]{json}{id}], "a repeat, $ask[3]";

        $ask[-1] = { %{ $ask[-1] }, amount => '2' };
        is_problem($azora->post('/v1/wallets/AZR/transfers', @ask), 422,
                   'idempotency-conflict');
    }
    is balance($azora, $amina, 'AZR'), 600_000_000, 'once each';
};


subtest 'what was paid to him can be given back for him' => sub {
    my $left = balance($azora, $kofi, 'AZR');

    $r = $azora->post('/v1/admin/ledger/reversals', fresh(),
        token => $ruth->{token}, json => { reason => 'he cannot any more',
                                           transfer => $first[0]{json}{id} });
    is $r->{json}{state}, 'done', 'by an administrator';
    is_deeply [map { balance($azora, $_, 'AZR') } $amina, $kofi],
              [700_000_000, $left - 100_000_000], 'whoever paid it has it';
    is_sound($azora);
};

done_testing;

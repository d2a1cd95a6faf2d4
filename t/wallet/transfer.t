#!/usr/bin/env perl

# Money goes from one wallet to another: once for each key, never more than
# there is, and the books stay sound.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Process qw(poll_until);
use Azora::Story qw(at_once balance documented fund is_problem is_sound
                    journaled);
use Azora::Test;
use Test::More;

my $PATH = '/v1/wallets/AZR/transfers';
my $azora = Azora::Test->start(workers => 2);
my $amina = $azora->user('amina');
my $baraka = $azora->user('baraka');
my $chidi = $azora->user('chidi');
my @amina = (token => $amina->{token});
my @baraka = (token => $baraka->{token});
my $r;

my $keys = 0;
sub fresh { return 'key-' . ++$keys }

sub transfers {
    return $azora->value(q{SELECT count(*) FROM ledger.transfer
                           WHERE kind = 'transfer'});
}


subtest 'a wallet that nobody used yet' => sub {
    $r = $azora->get('/v1/wallets/AZR', @amina);
    is $r->{status}, 200, 'is there';
    documented($azora, $r, 'GET /v1/wallets/{currency}');
    is_deeply $r->{json}, { currency => 'AZR', posted => '0.00000000',
                            pending => '0.00000000',
                            available => '0.00000000' }, 'and empty';

    is_deeply $azora->get('/v1/wallets/AZR/statement', @amina)->{json},
              { items => [], next => undef }, 'so is its statement';
    is $azora->get('/v1/wallets/USD', @amina)->{json}{posted}, '0.00',
       'each currency with its own decimals';

    is_problem($azora->get('/v1/wallets/XXX', @amina), 404,
               'unknown-currency');
    is_problem($azora->get('/v1/wallets/AZR'), 401,
               'authentication-required');
};


fund($azora, $amina, 'AZR', 1_000_000_000);

subtest 'a transfer' => sub {
    my %body = (to => 'baraka@example.org', amount => '2.5',
                memo => "For the maize \x{1F33D}");

    is_problem($azora->post($PATH, @amina, json => \%body), 400,
               'idempotency-key-required');
    is transfers(), 0, 'nothing without a key';

    $r = $azora->post($PATH, @amina, key => fresh(), json => \%body);
    is $r->{status}, 201, 'is made';
    documented($azora, $r, 'POST /v1/wallets/{currency}/transfers');
    is $r->{json}{amount}, '2.50000000', 'in all its decimals';
    is $r->{json}{memo}, $body{memo}, 'with the memo as written';

    my $id = $r->{json}{id};
    is $r->{headers}{location}, "/v1/transfers/$id", 'where it is';

    for my $who ($amina, $baraka) {
        $r = $azora->get("/v1/transfers/$id", token => $who->{token});
        is $r->{status}, 200, "$who->{name} sees it";
        documented($azora, $r, 'GET /v1/transfers/{id}');
    }

    is_problem($azora->get("/v1/transfers/$id", token => $chidi->{token}),
               404, 'not-found');

    is balance($azora, $amina, 'AZR'), 750_000_000, 'one has less';
    is balance($azora, $baraka, 'AZR'), 250_000_000, 'one has more';
    is journaled($azora, 'payment.completed'), 1, 'journaled';

    $r = $azora->post($PATH, @amina, key => fresh(),
                      json => { to => $baraka->{id}, amount => '0.00000001' });
    is $r->{status}, 201, 'to an account id, the smallest amount';
    is_sound($azora);
};


subtest 'to a handle' => sub {
    my $dede = $azora->user('dede');
    my ($before, $money) = (transfers(), balance($azora, $amina, 'AZR'));
    is $azora->patch('/v1/me', token => $dede->{token}, json => {
        handle => 'dede_d' })->{status}, 200, 'she has one';

    for my $to ('dede_d', '@dede_d', '@Dede_D') {
        $r = $azora->post($PATH, @amina, key => fresh(), json => {
            to => $to, amount => '0.00000010' });
        is_deeply [$r->{status}, $r->{json}{to}], [201, $to],
                  "money reaches $to";
    }
    is balance($azora, $dede, 'AZR'), 30, 'all of it';

    my @again = (@amina, key => fresh(), json => { to => '@dede_d',
                                                   amount => '0.00000001' });
    my $first = $azora->post($PATH, @again);
    $azora->patch('/v1/me', token => $dede->{token}, json => {
        handle => 'dede_e' });
    $azora->patch('/v1/me', token => $chidi->{token}, json => {
        handle => 'dede_d' });
    is $azora->post($PATH, @again)->{body}, $first->{body},
       'a repeat is one, also when somebody else has the name by then';
    is balance($azora, $chidi, 'AZR'), 0, 'who got nothing of it';

    is_problem($azora->post($PATH, @amina, key => fresh(), json => {
        to => $_, amount => '1' }), 422, 'unknown-recipient', '/to')
        for '@nobody', 'dede', '@dede_d_e';
    is_problem($azora->post($PATH, @amina, key => fresh(), json => {
        to => $_, amount => '1' }), 422, 'validation-failed', '/to')
        for '@', '@@dede_e@', "\@dede_e\x{301}";

    is $azora->post($PATH, token => $dede->{token}, key => fresh(), json => {
        to => 'amina@example.org', amount => '0.00000031' })->{status}, 201,
       'and back';
    is_deeply [transfers(), balance($azora, $amina, 'AZR')],
              [$before + 5, $money], 'nothing else moved';
};


subtest 'what is answered can be read at once' => sub {
    my $lost = 0;

    for (1 .. 40) {
        $r = $azora->post($PATH, @amina, key => fresh(), json => {
            to => 'baraka@example.org', amount => '0.00000001' });
        $lost++ if $azora->get("/v1/transfers/$r->{json}{id}", @baraka)
                   ->{status} != 200;
    }
    is $lost, 0, 'on another connection, forty times';
    fund($azora, $amina, 'AZR', 40);
    $azora->post($PATH, @baraka, key => fresh(), json => {
        to => 'amina@example.org', amount => '0.0000004' });
    $azora->sql(q{SELECT ledger.post(ARRAY[ledger.movement(
        ledger.wallet(?, 'AZR'), ledger.house('issuance', 'AZR'), 40, 'AZR',
        'burn')])}, $amina->{id});
};


subtest 'what is refused, and leaves no trace' => sub {
    my $before = transfers();
    my @cases = (
        ['AZR', { to => 'baraka@example.org', amount => '7.5' }, 409,
         'insufficient-funds'],
        ['AZR', { to => 'nobody@example.org', amount => '1' }, 422,
         'unknown-recipient', '/to'],
        ['AZR', { to => 'amina@example.org', amount => '1' }, 422,
         'same-account', '/to'],
        ['AZR', { to => $amina->{id}, amount => '1' }, 422,
         'same-account', '/to'],
        ['AZR', { to => 'baraka@example.org', amount => '0.000000001' }, 422,
         'too-many-decimals', '/amount'],
        ['USD', { to => 'baraka@example.org', amount => '0.001' }, 422,
         'too-many-decimals', '/amount'],
        ['AZR', { to => 'baraka@example.org', amount => '999999999999' }, 422,
         'amount-out-of-range', '/amount'],
        ['AZR', { to => 'baraka@example.org', amount => '0' }, 422,
         'validation-failed', '/amount'],
        ['AZR', { to => 'baraka@example.org', amount => '-1' }, 422,
         'validation-failed', '/amount'],
        ['AZR', { to => 'baraka@example.org', amount => '1e3' }, 422,
         'validation-failed', '/amount'],
        ['AZR', { to => 'baraka@example.org', amount => 1.5 }, 422,
         'validation-failed', '/amount'],
        ['AZR', { to => '', amount => '', memo => 'x' x 281 }, 422,
         'validation-failed', '/to', '/amount', '/memo'],
        ['XXX', { to => 'baraka@example.org', amount => '1' }, 404,
         'unknown-currency'],
    );

    for my $case (@cases) {
        my ($currency, $body, @expected) = @$case;
        is_problem($azora->post("/v1/wallets/$currency/transfers", @amina,
                                key => fresh(), json => $body), @expected);
    }

    $azora->sql(q{UPDATE ledger.account SET frozen = true
                  WHERE kind = 'wallet' AND owner = ?}, $baraka->{id});
    is_problem($azora->post($PATH, @amina, key => fresh(), json => {
        to => 'baraka@example.org', amount => '1' }), 403, 'account-frozen');
    $azora->sql(q{UPDATE ledger.account SET frozen = false});

    is transfers(), $before, 'no transfer';
    is balance($azora, $amina, 'AZR'), 749_999_999, 'no money moved';
    is_sound($azora);
};


subtest 'a key has one effect' => sub {
    my $key = fresh();
    my @again = (key => $key, json => { to => 'baraka@example.org',
                                        amount => '1' });
    my $before = transfers();

    my $first = $azora->post($PATH, @amina, @again);
    is $first->{status}, 201, 'the first';

    $r = $azora->post($PATH, @amina, @again);
    is $r->{status}, 201, 'a repeat has the same status';
    is $r->{body}, $first->{body}, 'the same body';
    is $r->{headers}{location}, $first->{headers}{location},
       'the same place';

    is_problem($azora->post($PATH, @amina, key => $key, json => {
        to => 'baraka@example.org', amount => '2' }), 422,
        'idempotency-conflict');
    is transfers(), $before + 1, 'one transfer';

    $r = $azora->post($PATH, @baraka, key => $key,
                      json => { to => 'amina@example.org', amount => '1' });
    is $r->{status}, 201, 'somebody else has the same key for themself';

    is_problem($azora->post($PATH, @amina, key => 'x' x 1000, json => {
        to => 'baraka@example.org', amount => '1' }), 400,
        'invalid-idempotency-key');

    my $refused = fresh();
    my $chidi_asks = [key => $refused, json => { to => 'amina@example.org',
                                                 amount => '0.5' }];
    is_problem($azora->post($PATH, token => $chidi->{token}, @$chidi_asks),
               409, 'insufficient-funds');
    fund($azora, $chidi, 'AZR', 50_000_000);
    is $azora->post($PATH, token => $chidi->{token}, @$chidi_asks)->{status},
       201, 'a refusal does not use the key up';
    is_sound($azora);
};


subtest 'whatever moves money asks for a key' => sub {
    my $paths = $azora->get('/openapi.json')->{json}{paths};
    my @moving = grep { $paths->{$_}{post} && (m{/exchange\z}
        || m{^/v1/(?:wallets|transfers|holds|admin/ledger)(?:/|\z)}) }
        sort keys %$paths;

    cmp_ok scalar @moving, '>=', 19, 'there are many';
    is_deeply [grep {
        my $path = $_;
        !grep { ($_->{'$ref'} // '') =~ /RequiredIdempotencyKey\z/ }
            @{ $paths->{$path}{post}{parameters} || [] }
    } @moving], [], 'each of them';
};


subtest 'twenty at once with one key' => sub {
    my $before = transfers();
    my $money = balance($azora, $amina, 'AZR');
    my $key = fresh();

    my @answers = at_once($azora, map {
        ['POST', $PATH, @amina, key => $key,
         json => { to => 'baraka@example.org', amount => '0.1' }]
    } 1 .. 20);

    my %bodies = map { ("$_->{status} $_->{body}" => 1) } @answers;
    is keys %bodies, 1, 'twenty answers that are one';
    is $answers[0]{status}, 201, 'all of them good';
    is transfers(), $before + 1, 'one transfer';
    is balance($azora, $amina, 'AZR'), $money - 10_000_000, 'one payment';
    is_sound($azora);
};


subtest 'more at once than there is money' => sub {
    my $have = balance($azora, $amina, 'AZR');
    my $before = transfers();

    # all but what ten of the thirty below take
    $azora->post($PATH, @amina, key => fresh(), json => {
        to => 'baraka@example.org',
        amount => sprintf '%d.%08d', int(($have - 1_000_000) / 100_000_000),
                          ($have - 1_000_000) % 100_000_000 });
    is balance($azora, $amina, 'AZR'), 1_000_000, '0.01 AZR is left';

    my @answers = at_once($azora, map {
        ['POST', $PATH, @amina, key => fresh(),
         json => { to => $_ % 2 ? 'baraka@example.org' : 'chidi@example.org',
                   amount => '0.001' }]
    } 1 .. 30);

    is scalar(grep { $_->{status} == 201 } @answers), 10, 'ten are paid';
    is scalar(grep { $_->{status} == 409 } @answers), 20, 'twenty are not';
    is balance($azora, $amina, 'AZR'), 0, 'down to nothing';
    is transfers(), $before + 11, 'and not below';
    is_sound($azora);
};


subtest 'each sees their own statement' => sub {
    my $total = $azora->value(q{SELECT count(*) FROM ledger.posting AS p
        JOIN ledger.account AS a ON a.id = p.account
        WHERE a.owner = ?}, $baraka->{id});
    my (@walked, $cursor);

    fund($azora, $amina, 'AZR', 100_000_000);

    for my $page (1 .. $total) {
        $r = $azora->get('/v1/wallets/AZR/statement?limit=5'
                         . (defined $cursor ? "&cursor=$cursor" : ''),
                         @baraka);
        documented($azora, $r, 'GET /v1/wallets/{currency}/statement')
            if $page == 1;
        push @walked, @{ $r->{json}{items} };
        last if !defined($cursor = $r->{json}{next});

        # money arrives while one reads
        $azora->post($PATH, @amina, key => fresh(), json => {
            to => 'baraka@example.org', amount => '0.01' });
    }

    is_deeply [map { $_->{seq} } @walked], [reverse 1 .. $total],
              'newest first, without gap or repeat, whatever arrives';

    my $wrong = 0;
    for my $i (0 .. $#walked - 1) {
        my ($now, $then) = @walked[$i, $i + 1];
        my ($a, $b, $c) = map { s/\.//r } $now->{balance}, $then->{balance},
                          $now->{amount};
        $wrong++ if $a != $b + $c;
    }
    is $wrong, 0, 'each balance follows the one before';

    my ($own) = grep { $_->{kind} eq 'transfer' && $_->{amount} =~ /^-/ }
                @walked;
    ok $own, 'what was paid is negative';
    is $own->{counterparty}, $amina->{id}, 'and names the other side';

    is_problem($azora->get('/v1/wallets/AZR/statement?cursor=%21', @baraka),
               400, 'invalid-cursor');
    is_problem($azora->get('/v1/wallets/AZR/statement?limit=101', @baraka),
               422, 'validation-failed', '?limit');
};


subtest 'anybody may check that money sums to zero' => sub {
    $r = $azora->get('/v1/ledger/trial-balance');
    is $r->{status}, 200, 'without a token';
    documented($azora, $r, 'GET /v1/ledger/trial-balance');

    my %sum = map { $_->{currency} => $_ } @{ $r->{json}{items} };
    is $sum{AZR}{issued}, '11.50000000', 'what was issued';
    is $sum{AZR}{held}, $sum{AZR}{issued}, 'somebody holds';
    is scalar(grep { $_->{sum} != 0 } values %sum), 0, 'every sum is zero';
};

done_testing;

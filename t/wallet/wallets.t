#!/usr/bin/env perl

# What a wallet shows: now, at a past time, as a list, as a statement in JSON
# and CSV; what a transfer may carry along, and what a dry run leaves behind.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Story qw(balance documented fund is_problem is_sound);
use Azora::Test;
use Test::More;

my $PATH = '/v1/wallets/AZR/transfers';
my $azora = Azora::Test->start(workers => 1);
my ($amina, $baraka, $chidi) = map { $azora->user($_) }
                               qw(amina baraka chidi);
my @amina = (token => $amina->{token});
my @baraka = (token => $baraka->{token});
my $r;

my $keys = 0;
sub fresh { return (key => 'key-' . ++$keys) }

# Pays and says when it was booked.
sub pay {
    my (%body) = @_;
    my $r = $azora->post($PATH, @amina, fresh(), json => {
        to => 'baraka@example.org', %body });
    is $r->{status}, 201, "paid $body{amount}" or diag $r->{body};
    return $r->{json};
}

fund($azora, $amina, 'AZR', 1_000_000_000);
fund($azora, $amina, 'KES', 500);


subtest 'all wallets' => sub {
    $r = $azora->get('/v1/wallets', @amina);
    documented($azora, $r, 'GET /v1/wallets');
    is_deeply [map { [@$_{qw(currency posted)}] } @{ $r->{json}{items} }],
              [['AZR', '10.00000000'], ['KES', '5.00']], 'by currency';

    $r = $azora->get('/v1/wallets?limit=1', @amina);
    is scalar @{ $r->{json}{items} }, 1, 'a page of one';
    $r = $azora->get("/v1/wallets?limit=1&cursor=$r->{json}{next}", @amina);
    is_deeply [$r->{json}{items}[0]{currency}, $r->{json}{next}],
              ['KES', undef], 'and the next, which is the last';

    is_deeply $azora->get('/v1/wallets', @baraka)->{json},
              { items => [], next => undef }, 'others have their own';
    is_problem($azora->get('/v1/wallets?cursor=QQ', @amina), 400,
               'invalid-cursor');
    is_problem($azora->get('/v1/wallets'), 401, 'authentication-required');

    $r = $azora->get('/v1/ledger/currencies');
    documented($azora, $r, 'GET /v1/ledger/currencies');
    my %currency = map { $_->{code} => $_ } @{ $r->{json}{items} };
    is_deeply [@{ $currency{KES} }{qw(name decimals smallest)}],
              ['Kenyan shilling', 2, '0.01'], 'what can be held';
};


subtest 'a wallet at a past time is a replay up to it' => sub {
    my @paid = map { pay(amount => "0.$_") } 1 .. 9;
    my $wrong = 0;

    for my $at ('2020-01-01T00:00:00Z', map { $_->{created_at} } @paid) {
        $r = $azora->get("/v1/wallets/AZR?at=$at", @amina);
        my $replayed = $azora->value(q{
            SELECT coalesce(sum(p.amount), 0)
            FROM ledger.posting AS p
                 JOIN ledger.account AS a ON a.id = p.account
                 JOIN ledger.transfer AS t ON t.id = p.transfer
            WHERE a.owner = ? AND a.currency = 'AZR'
              AND t.created_at <= ?}, $amina->{id}, $at);
        $wrong++ if $r->{json}{posted} =~ s/\.//r != $replayed;
    }

    is $wrong, 0, 'ten times';
    documented($azora, $r, 'GET /v1/wallets/{currency}');
    is $r->{json}{posted}, '5.50000000', 'the last of them is now';
    is $azora->get('/v1/wallets/AZR?at=2020-01-01T00:00:00Z', @amina)
       ->{json}{posted}, '0.00000000', 'before all of it there was nothing';
    is $azora->get('/v1/wallets/AZR?at=2100-01-01T00:00:00Z', @amina)
       ->{json}{posted}, '5.50000000', 'what comes is not known';

    $azora->sql(q{SELECT ledger.place_hold(ledger.wallet($1, 'AZR'), 100,
                                           NULL)}, $amina->{id});
    is $azora->get('/v1/wallets/AZR', @amina)->{json}{pending},
       '0.00000100', 'held now';
    is $azora->get("/v1/wallets/AZR?at=$paid[8]{created_at}", @amina)
       ->{json}{pending}, '0.00000000', 'and not then';
    is_problem($azora->get('/v1/wallets/XXX?at=2020-01-01T00:00:00Z', @amina),
               404, 'unknown-currency');
    is_problem($azora->get('/v1/wallets/AZR?at=yesterday', @amina), 422,
               'validation-failed', '?at');
};


subtest 'a statement between two times' => sub {
    my @lines = @{ $azora->get('/v1/wallets/AZR/statement?limit=100', @amina)
                   ->{json}{items} };
    my ($from, $to) = ($lines[6]{at}, $lines[2]{at});
    my @expected = grep { $_->{at} ge $from && $_->{at} lt $to } @lines;

    $r = $azora->get("/v1/wallets/AZR/statement?from=$from&to=$to", @amina);
    is_deeply $r->{json}, { items => \@expected, next => undef },
              'has the first moment and not the last';

    my (@walked, $cursor);
    for (1 .. 20) {
        $r = $azora->get("/v1/wallets/AZR/statement?from=$from&to=$to&limit=1"
                         . ($cursor ? "&cursor=$cursor" : ''), @amina);
        push @walked, @{ $r->{json}{items} };
        $cursor = $r->{json}{next} // last;
    }
    is_deeply \@walked, \@expected, 'also page by page';

    is_deeply $azora->get('/v1/wallets/AZR/statement'
                          . '?from=2100-01-01T00:00:00Z', @amina)
              ->{json}{items}, [], 'nothing comes from the future';
    is_deeply $azora->get('/v1/wallets/AZR/statement'
                          . "?from=$to&to=$from", @amina)->{json}{items},
              [], 'nor between an end and a beginning';
};


subtest 'a statement as CSV' => sub {
    pay(amount => '0.01', memo => qq{=1+1 "so", \x{e9}\nnext});

    for my $accept (undef, 'application/json', '*/*', 'text/csv;q=0',
                    'text/csv;q=0.1, application/json;q=0.2') {
        $r = $azora->get('/v1/wallets/AZR/statement', @amina,
                         headers => { $accept ? (Accept => $accept) : () });
        is $r->{headers}{'content-type'}, 'application/json',
           'JSON for ' . ($accept // 'none');
    }
    like $r->{headers}{vary}, qr/Accept/, 'and it varies by it';

    for my $accept ('text/csv', 'text/*, application/json;q=0.5',
                    'application/json;q=0.1, TEXT/CSV;q=0.2') {
        $r = $azora->get('/v1/wallets/AZR/statement', @amina,
                         headers => { Accept => $accept });
        is $r->{headers}{'content-type'}, 'text/csv; charset=utf-8',
           "CSV for $accept";
    }

    my @lines = split /\r\n/, $r->{body};
    is $lines[0], 'seq,at,amount,balance,kind,counterparty,memo,transfer',
       'with a head';
    my $text = $lines[1];
    utf8::decode($text);
    like $text, qr/^\d+,[0-9TZ:.-]+,-0\.01000000,5\.49000000,transfer,
                   \Q$baraka->{id}\E,"'=1\+1\ ""so"",\ \x{e9}\nnext",
                   [0-9a-f-]{36}\z/x,
       'a line for each movement, and no formula';

    my $json = $azora->get('/v1/wallets/AZR/statement?limit=100', @amina)
               ->{json}{items};
    my ($path, @seen) = '/v1/wallets/AZR/statement?format=csv&limit=4';
    for (1 .. 20) {
        $r = $azora->get($path, @amina);
        push @seen, map { /^(\d+),/ } split /\r\n/, $r->{body};
        ($path) = ($r->{headers}{link} // '') =~ /^<(.+)>; rel="next"$/
            or last;
    }
    is_deeply \@seen, [map { $_->{seq} } @$json],
              'the whole of it by following the links';
    is_problem($azora->get('/v1/wallets/AZR/statement?format=xml', @amina),
               422, 'validation-failed', '?format');
    is_problem($azora->get('/v1/wallets/XXX/statement?format=csv', @amina),
               404, 'unknown-currency');
};


subtest 'what a transfer carries along' => sub {
    my $metadata = { order => 'A-17', lines => [1, 2], note => "\x{e9}",
                     none => undef, deep => { none => undef } };
    my $paid = pay(amount => '0.02', metadata => $metadata);

    for my $who (\@amina, \@baraka) {
        $r = $azora->get("/v1/transfers/$paid->{id}", @$who);
        is_deeply $r->{json}{metadata}, $metadata, 'both sides see it';
        documented($azora, $r, 'GET /v1/transfers/{id}');
    }

    is_problem($azora->post($PATH, @amina, fresh(), json => {
        to => 'baraka@example.org', amount => '1',
        metadata => { text => 'x' x 4096 } }), 422, 'validation-failed',
        '/metadata');
    is_problem($azora->post($PATH, @amina, fresh(), json => {
        to => 'baraka@example.org', amount => '1', metadata => [1] }), 422,
        'validation-failed', '/metadata');

    # short as they are sent, and long as they are stored
    for my $number ('1e270', '-1e-270') {
        my $many = join ',', ($number) x 400;
        my $sent = qq({"to":"$baraka->{id}","amount":"0.01",)
            . qq("metadata":{"n":[$many]}});
        $r = $azora->post($PATH, @amina, fresh(), body => $sent, headers => {
            'Content-Type' => 'application/json' });
        is $r->{status}, 201, "400 times $number" or diag $r->{body};
        my $shown = $azora->get("/v1/transfers/$r->{json}{id}", @baraka)
                    ->{json}{metadata}{n};
        is scalar(grep { $_ == $number } @$shown), 400, 'and back';
        $azora->sql('UPDATE ledger.metadata SET body = $${}$$
                     WHERE transfer = ?', $r->{json}{id});
    }

    my %again = (key => 'same', json => { to => 'baraka@example.org',
        amount => '0.01', metadata => { n => 1 } });
    my $first = $azora->post($PATH, @amina, %again);
    is $azora->post($PATH, @amina, %again)->{body}, $first->{body},
       'a repeat is one';
    $again{json}{metadata}{n} = 2;
    is_problem($azora->post($PATH, @amina, %again), 422,
               'idempotency-conflict');
    is $azora->value(q{SELECT count(*) FROM ledger.metadata
                       WHERE body <> '{}'}), 2, 'kept once each';
};


subtest 'a dry run says what would be and does nothing' => sub {
    my @tables = qw(ledger.transfer ledger.account ledger.metadata
                    journal.entry azora.idempotency);
    my $count = sub { return [map { $azora->value(
        "SELECT count(*) FROM $_") } @tables] };
    my $before = $count->();
    my %ask = (to => 'chidi@example.org', amount => '1', memo => 'm',
               metadata => { a => 1 }, dry_run => \1);

    $r = $azora->post($PATH, @amina, key => 'dry', json => \%ask);
    is $r->{status}, 200, 'it would be good';
    documented($azora, $r, 'POST /v1/wallets/{currency}/transfers');
    is_deeply $r->{json}, { dry_run => $r->{json}{dry_run},
        currency => 'AZR', amount => '1.00000000',
        to => 'chidi@example.org', memo => 'm' }, 'so';
    is $r->{headers}{location}, undef, 'and is nowhere';

    for (['9999', 409, 'insufficient-funds'], ['0.000000001', 422,
         'too-many-decimals', '/amount']) {
        my ($amount, @expected) = @$_;
        is_problem($azora->post($PATH, @amina, fresh(), json => {
            %ask, amount => $amount }), @expected);
    }
    is_problem($azora->post($PATH, @amina, fresh(), json => {
        %ask, to => 'nobody@example.org' }), 422, 'unknown-recipient', '/to');

    is_deeply $count->(), $before, 'nothing is written';

    is $azora->post($PATH, @amina, key => 'dry', json => {
        %ask, dry_run => \0 })->{status}, 201, 'the key was not used up';
    is $azora->post($PATH, @amina, key => 'dry', json => { %ask,
        amount => '2' })->{status}, 200, 'nor does one that was used matter';
    is_sound($azora);
};

done_testing;

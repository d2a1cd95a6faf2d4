#!/usr/bin/env perl

# A list of transfers says of each what a single one says: whom, how much, of
# what, with which words and metadata; each by itself or all or none.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Story qw(at_once balance documented fund is_problem is_sound);
use Azora::Test;
use Test::More;

my $PATH = '/v1/transfers/batch';
my $azora = Azora::Test->start(workers => 2);
my ($amina, $baraka, $chidi) = map { $azora->user($_) }
                               qw(amina baraka chidi);
my @amina = (token => $amina->{token});
my $r;

my $keys = 0;
sub fresh { return (key => 'key-' . ++$keys) }

sub send_list {
    my (@items) = @_;
    my %more = ref $items[0] ? () : (splice @items, 0, 2);
    return $azora->post($PATH, @amina, fresh(),
                        json => { items => \@items, %more });
}

sub transfers { $azora->value('SELECT count(*) FROM ledger.transfer') }

fund($azora, $amina, 'AZR', 1_000_000_000);
fund($azora, $amina, 'KES', 100_000);
$azora->sql(q{UPDATE identity.account SET handle = 'mama_chidi'
              WHERE id = ?}, $chidi->{id});


subtest 'items are as single transfers' => sub {
    my $metadata = { order => 'A-17', lines => [1, 2], note => "\x{e9}" };
    my @ask = (@amina, key => 'once', json => { currency => 'AZR', items => [
        { to => 'baraka@example.org', amount => '1.5', memo => 'one',
          metadata => $metadata },
        { to => '@mama_chidi', amount => '20', currency => 'KES' },
        { to => $baraka->{id}, amount => '0.01', currency => 'KES',
          memo => undef, metadata => undef }] });

    $r = $azora->post($PATH, @ask);
    is $r->{json}{made}, 3, 'in two currencies' or diag $r->{body};
    documented($azora, $r, "POST $PATH");
    is_deeply [map { [@{ $_->{transfer} }{qw(currency amount to)}] }
               @{ $r->{json}{items} }],
              [['AZR', '1.50000000', 'baraka@example.org'],
               ['KES', '20.00', '@mama_chidi'],
               ['KES', '0.01', $baraka->{id}]],
              'to an address, a handle, an id';
    is_deeply [map { balance($azora, @$_) } [$baraka, 'AZR'],
               [$baraka, 'KES'], [$chidi, 'KES'], [$amina, 'KES']],
              [150_000_000, 1, 2000, 97_999], 'moved';

    my $shown = $azora->get(
        "/v1/transfers/$r->{json}{items}[0]{transfer}{id}",
        token => $baraka->{token});
    documented($azora, $shown, 'GET /v1/transfers/{id}');
    is_deeply [@{ $shown->{json} }{qw(memo metadata)}], ['one', $metadata],
              'with words and metadata';
    is $azora->value('SELECT count(*) FROM ledger.metadata'), 1,
       'null is nothing';
    is $azora->post($PATH, @ask)->{body}, $r->{body}, 'a repeat is one';

    $ask[-1]{items}[0]{metadata}{order} = 'A-18';
    is_problem($azora->post($PATH, @ask), 422, 'idempotency-conflict');
    is_sound($azora);
};


subtest 'each says what is wrong with it, and where' => sub {
    my $before = transfers();

    $r = send_list(currency => 'KES',
        { to => $baraka->{id}, amount => '1', metadata => { n => 1 } },
        { to => '@nobody', amount => '1', metadata => { n => 2 } },
        { to => $baraka->{id}, amount => '1', currency => 'XXX' },
        { to => $baraka->{id}, amount => '0.001' },
        { to => $amina->{id}, amount => '1' },
        { to => $baraka->{id}, amount => '99', currency => 'USD' },
        { to => '@mama_chidi', amount => '1', metadata => { n => 7 } });
    documented($azora, $r, "POST $PATH");
    is_deeply [map { [$_->{status}, $_->{type} // '', $_->{pointer}] }
               @{ $r->{json}{items} }],
              [[201, '', undef],
               [422, '/problems/unknown-recipient', '/items/1/to'],
               [422, '/problems/unknown-currency', '/items/2/currency'],
               [422, '/problems/too-many-decimals', '/items/3/amount'],
               [422, '/problems/same-account', '/items/4/to'],
               [409, '/problems/insufficient-funds', '/items/5'],
               [201, '', undef]], 'in the order of the list';
    is transfers(), $before + 2, 'two are made';
    is_deeply [map { $_->{n} } $azora->sql(q{
        SELECT m.body ->> 'n' AS n FROM ledger.metadata AS m
        WHERE m.body ->> 'n' IS NOT NULL ORDER BY 1})], [1, 7],
        'and keep what is theirs';

    $r = send_list({ to => $baraka->{id}, amount => '1' },
                   { to => $baraka->{id}, amount => '1', currency => 'XXX' });
    is_deeply [map { [@$_{qw(status type pointer detail)}] }
               @{ $r->{json}{items} }],
              [[422, '/problems/unknown-currency', '/items/0/currency',
                'Neither the item nor the list names a currency.'],
               [422, '/problems/unknown-currency', '/items/1/currency',
                'There is no such currency.']],
              'a currency is asked of the list or of the item';
    is_problem(send_list(atomic => \1,
                         { to => $baraka->{id}, amount => '1' }), 422,
               'unknown-currency', '/items/0/currency');
    is_problem(send_list(currency => 'XXX',
                         { to => $baraka->{id}, amount => '1' }), 422,
               'unknown-currency', '/currency');
    is_problem(send_list({ to => $baraka->{id}, amount => '1',
        currency => 'KES', metadata => { text => 'x' x 4096 } },
        { to => $baraka->{id}, amount => '1', metadata => [1] }), 422,
        'validation-failed', '/items/0/metadata', '/items/1/metadata');
    is transfers(), $before + 2, 'nothing came of those';
};


subtest 'all or none, in several currencies' => sub {
    my $before = [transfers(), map { balance($azora, $amina, $_) }
                                   qw(AZR KES)];
    my @good = ({ to => '@mama_chidi', amount => '1', currency => 'AZR',
                  metadata => { n => 1 } },
                { to => $baraka->{id}, amount => '1', currency => 'KES' });

    for ([{ amount => '1', to => $chidi->{id}, currency => 'XXX' }, 422,
          'unknown-currency', '/items/2/currency'],
         [{ amount => '1', to => '@nobody', currency => 'KES' }, 422,
          'unknown-recipient', '/items/2/to'],
         [{ amount => '1', to => $chidi->{id}, currency => 'USD' }, 409,
          'insufficient-funds', '/items/2'])
    {
        my ($bad, @expected) = @$_;
        is_problem(send_list(atomic => \1, @good, $bad), @expected);
    }
    is_problem(send_list(atomic => \1, @good,
        { amount => '1', to => '@nobody', currency => 'KES' },
        { amount => '1', to => $chidi->{id}, currency => 'XXX' }), 422,
        'unknown-recipient', '/items/2/to');
    is_deeply [transfers(), map { balance($azora, $amina, $_) }
                                qw(AZR KES)], $before, 'nothing moved';

    is send_list(atomic => \1, @good)->{json}{made}, 2, 'or all of it';
    is_sound($azora);
};


subtest 'a thousand, each with all it can say' => sub {
    my @items = map { { to => $_ % 2 ? '@mama_chidi' : $baraka->{id},
                        amount => '0.01', currency => 'KES',
                        memo => "n $_", metadata => { n => $_,
                            text => 'x' x 700 } } } 1 .. 1000;

    $r = send_list(atomic => \1, @items);
    is $r->{json}{made}, 1000, 'are made' or diag substr $r->{body}, 0, 500;
    is $azora->value(q{SELECT count(*) FROM ledger.metadata AS m
                           JOIN ledger.transfer AS t ON t.id = m.transfer
                       WHERE 'n ' || (m.body ->> 'n') = t.memo}), 1000,
       'each with its own metadata';
    $_->{metadata}{text} = 'x' x 1000 for @items;
    is_problem(send_list(@items), 413, 'body-too-large');
    is_sound($azora);
};


subtest 'two lists at once over each other\'s people' => sub {
    fund($azora, $_, 'AZR', 100) for $baraka, $chidi;
    my @people = ($amina, $baraka, $chidi);
    my $all = $azora->value(q{SELECT sum(balance) FROM ledger.account
        WHERE kind = 'wallet' AND currency IN ('AZR', 'KES')});

    my @answers = at_once($azora, map {
        my $n = $_;
        ['POST', $PATH, token => $people[$n % 3]{token},
         key => "cross-$n", json => { currency => 'AZR', items => [map {
             { to => $people[($n + 1 + $_ % 2) % 3]{id},
               amount => '0.00000001',
               $_ % 5 ? () : (currency => 'KES', amount => '0.01') }
         } 1 .. 50] }]
    } 1 .. 12);

    is_deeply [grep { $_->{status} != 200 } @answers], [],
              'none waits for the other in a circle';
    is $azora->value(q{SELECT sum(balance) FROM ledger.account
        WHERE kind = 'wallet' AND currency IN ('AZR', 'KES')}), $all,
       'no money came or went';
    is_sound($azora);
};

done_testing;

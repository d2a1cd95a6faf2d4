# The edge of 64 bits: balances and credit that together do not fit into a
# number refuse what they must, and never spoil what others send beside them.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $MAX = '9223372036854775807';
my $MOST = '92233720368.54775807';

my $sql = Azora::SQL->new;
my ($ama, $kofi, $esi, $yaw, $abena) = map { $sql->register($_) }
                                       qw(ama kofi esi yaw abena);
my %wallet = map { $_ => $sql->value("SELECT ledger.wallet(?, 'AZR')", $_) }
             $ama, $kofi, $esi, $yaw;


sub send_all {
    my @items = map { { as => $_->[0], to => $_->[1], amount => $_->[2] } }
                @_;
    my $replies = eval { $sql->transfers(\@items) };
    return $replies ? [map { $_->{problem} // $_->{status} } @$replies] : $@;
}

# undef when it worked, otherwise the name of the refusal
sub refused {
    my ($query, @bind) = @_;
    return undef if eval { $sql->{dbh}->do($query, undef, @bind); 1 };
    return $sql->refusal($sql->{dbh})->{problem};
}

sub credit {
    my ($who, $minor) = @_;
    $sql->{dbh}->do('UPDATE ledger.account SET floor = -(?::bigint)
                     WHERE id = ?', undef, $minor, $wallet{$who});
}

$sql->issue($ama, 'AZR', 1_00000000);
$sql->issue($esi, 'AZR', 1_50000000);


# one with all the credit there can be, and money besides
credit($ama, $MAX);
is_deeply(send_all([$ama, $kofi, '0.5'], [$esi, $kofi, '0.5']), [201, 201],
          'more is available than a number holds');
is_deeply(send_all([$ama, $kofi, '0.25'], [$esi, $kofi, '1.1']),
          [201, 'insufficient-funds'], 'also where one is refused beside');
is(refused('SELECT ledger.place_hold(?, 100, NULL)', $wallet{$ama}), undef,
   'some of it can be held');
is($sql->call('ledger.get_wallet', as => $ama, currency => 'AZR')
   ->{body}{available}, '92233720368.79775707', 'and it is shown');

# money that would not fit where it goes
is_deeply(send_all([$ama, $yaw, $MOST], [$esi, $kofi, '0.1']), [201, 201],
          'as much as fits in one payment');
is_deeply(send_all([$esi, $yaw, '0.1'], [$esi, $kofi, '0.1']),
          ['amount-out-of-range', 201], 'one that holds all can get no more');
is_deeply(send_all([$esi, $yaw, '0.1'], [$yaw, $kofi, '0.1'],
                   [$esi, $yaw, '0.1'], [$esi, $yaw, '0.00000001']),
          ['amount-out-of-range', 201, 201, 'amount-out-of-range'],
          'until it paid, in the order of arrival');
is_deeply($sql->errors_in_books, [], 'the books are right');

# the same by the other ways
credit($kofi, $MAX);
my $hold = $sql->value('SELECT ledger.place_hold(?, 5, NULL)', $wallet{$kofi});
is(refused("SELECT ledger.post_hold(?, ?, 5, 'transfer')", $hold,
           $wallet{$yaw}), 'amount-out-of-range', 'a hold');
is($sql->value('SELECT state FROM ledger.hold WHERE id = ?', $hold),
   'pending', 'stays held');
is(refused(q{SELECT ledger.post(ARRAY[ledger.movement(
       ledger.house('issuance', 'AZR'), ?, 1, 'AZR', 'issue')])},
           $wallet{$yaw}), 'amount-out-of-range', 'an issue');
like(eval { $sql->{dbh}->do(q{SELECT ledger.post(ARRAY[ledger.movement(
         ?, ?, -5, 'AZR', 'transfer')])}, undef, $wallet{$yaw},
         $wallet{$kofi}) } // $@, qr/negative/, 'nothing below zero moves');

# limits beside such numbers
$sql->{dbh}->do("INSERT INTO ledger.tier_limit (currency, tier, day_max,
                     balance_max) VALUES ('AZR', 0, $MAX, $MAX)");
is_deeply(send_all([$ama, $kofi, '1'], [$esi, $kofi, '0.1']),
          ['insufficient-funds', 201],
          'one far below zero has room that no number holds');
is_deeply(send_all([$yaw, $abena, '92233720368'],
                   [$esi, $kofi, '0.1'], [$abena, $yaw, '92233720368']),
          [201, 201, 201], 'a lot goes forth and back');
is_deeply(send_all([$yaw, $abena, '92233720368'], [$esi, $kofi, '0.1']),
          ['day-limit', 201], 'once in a day');
$sql->{dbh}->do('UPDATE ledger.tier_limit SET day_max = NULL');
is_deeply(send_all([$yaw, $abena, '92233720368'], [$esi, $kofi, '0.1']),
          [201, 201], 'or as often as one likes');
is($sql->value('SELECT spent FROM ledger.spending WHERE account = ?',
               $wallet{$yaw}), $MAX, 'which is counted as far as it goes');
is_deeply($sql->errors_in_books, [], 'the books are right');

done_testing();

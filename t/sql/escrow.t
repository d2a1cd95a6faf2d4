# The account of a milestone: paid into once, paid out once, and closed then;
# also when one of the two was forgotten meanwhile.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my ($ama, $kofi) = map { $sql->register($_) } qw(ama kofi);

$sql->issue($ama, 'AZR', 1000);


# undef when it worked, otherwise the name of the refusal or the state
sub refused {
    my ($query, @bind) = @_;
    return undef if eval { $sql->{dbh}->do($query, undef, @bind); 1 };
    return $sql->{dbh}->state =~ /^AZ/
        ? $sql->refusal($sql->{dbh})->{problem} : $sql->{dbh}->state;
}

sub fund {
    my ($milestone, $minor) = @_;
    return refused("SELECT ledger.fund_escrow(?, ?, 'AZR', ?)", $ama,
                   $milestone, $minor);
}

sub settle {
    my ($milestone, $refunded, $fee) = @_;
    return refused('SELECT ledger.settle_escrow(?, ?, ?, ?, ?)', $milestone,
                   $ama, $kofi, $refunded, $fee);
}

sub house { $sql->value("SELECT sum(balance) FROM ledger.account
                         WHERE kind = 'marketplace' AND currency = 'AZR'") }

sub milestone { $sql->value('SELECT gen_random_uuid()') }


my $first = milestone();
is(fund($first, 1001), 'insufficient-funds', 'not more than there is');
is(fund($first, 100), undef, 'funded');
is(fund($first, 100), '23505', 'once');
is($sql->balance($ama), 900, 'so it was paid once');
is(settle($first, 30, 7), undef, 'and settled');
is_deeply([$sql->balance($ama), $sql->balance($kofi), house()],
          [930, 63, 7], 'each has theirs');
is($sql->value('SELECT balance FROM ledger.account WHERE reference = ?',
               $first), 0, 'nothing stays');
is(refused("SELECT ledger.post(ARRAY[ledger.movement(
                ledger.wallet(?, 'AZR'), a.id, 1, 'AZR', 'escrow_more')])
            FROM ledger.account AS a WHERE a.reference = ?", $ama, $first),
   'account-frozen', 'and nothing comes any more');

# the worker is forgotten: what goes back goes back
my ($back, $paid) = map { milestone() } 1 .. 2;
is(fund($_, 100), undef, 'funded') for $back, $paid;
is(refused("SELECT ledger.give_hold_back(ledger.place_hold(account =>
        ledger.wallet(?, 'AZR'), credit => ledger.wallet(?, 'AZR'),
        minor => 1, reference => NULL), 'voided')", $ama, $kofi), undef,
   'a promise that has ended');
is(refused('SELECT ledger.erase_person(?)', $kofi), undef,
   'keeps nobody from being forgotten');
is(settle($paid, 0, 10), 'account-frozen', 'who is gone is not paid');
is(settle($back, 100, 0), undef, 'who paid gets it back');
is_deeply([$sql->balance($ama), $sql->balance($kofi), house()],
          [830, 63, 7], 'all of it');
is_deeply($sql->errors_in_books, [], 'the books are right');

done_testing();

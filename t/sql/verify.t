# The judge of the books is judged: what is broken on purpose is told, and
# nothing else.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my $dbh = $sql->{dbh};
my ($ama, $kofi) = map { $sql->register($_) } qw(ama kofi);
my $balanced = 'balance or sequence differs from the postings';
my $follows = 'does not follow the one before';

$sql->issue($ama, 'AZR', 1000);
$sql->transfers([map { { as => $ama, to => $kofi, amount => '0.00000010' } }
                 1 .. 3]);
my ($from, $to) = map { $sql->value("SELECT ledger.wallet(?, 'AZR')", $_) }
                  $ama, $kofi;
$sql->value('SELECT ledger.place_hold(?, 5, NULL)', $from);
my $part = $sql->value("SELECT id FROM ledger.account
    WHERE kind = 'marketplace' AND currency = 'AZR' AND slot = 1");

is_deeply($sql->errors_in_books, [], 'good books');

for (
    ['money from nowhere', [$balanced, 'sum of AZR is not zero'],
     "UPDATE ledger.account SET balance = balance + 1 WHERE id = $from"],
    ['money that moved by no transfer', [$balanced, $balanced],
     "UPDATE ledger.account SET balance = balance - 1 WHERE id = $from",
     "UPDATE ledger.account SET balance = balance + 1 WHERE id = $to"],
    ['a number that no posting has', [$balanced],
     "UPDATE ledger.account SET sequence = sequence + 1 WHERE id = $to"],
    ['a gap in the numbers', [$balanced, $follows],
     "UPDATE ledger.account SET sequence = 4 WHERE id = $to",
     "UPDATE ledger.transfer SET credit_seq = 4
      WHERE credit = $to AND credit_seq = 3"],
    ['a balance that is not the one before and the amount',
     [$follows, $follows],
     "UPDATE ledger.transfer SET credit_balance = credit_balance + 1
      WHERE credit = $to AND credit_seq = 2"],
    ['an amount that was changed', [$balanced, $balanced, $follows, $follows],
     "UPDATE ledger.transfer SET amount = amount + 1
      WHERE credit = $to AND credit_seq = 3"],
    ['something held for nobody', ['held differs from the pending holds'],
     "UPDATE ledger.account SET held = held + 1 WHERE id = $from"],
    ['a hold that holds nothing', ['held differs from the pending holds'],
     "UPDATE ledger.account SET held = 0 WHERE id = $from"],
    ['a part that pays', ['a part of a split account was debited'],
     "SELECT ledger.post(ARRAY[
          ledger.movement($from, $part, 9, 'AZR', 'fee'),
          ledger.movement($part, $to, 1, 'AZR', 'fee')])"],
) {
    my ($name, $expected, @changes) = @$_;

    $dbh->begin_work;
    $dbh->do('ALTER TABLE ledger.transfer DISABLE TRIGGER USER');
    $dbh->do($_) for @changes;
    my @told = sort map { $_->[0] =~ s/^posting \d+ //r }
               @{ $sql->errors_in_books };
    $dbh->rollback;
    is_deeply(\@told, $expected, $name);
}
is_deeply($sql->errors_in_books, [], 'good books again');

# how a currency begins
$sql->value("SELECT ledger.open_currency('XTS', 3, 'Test', 500)") for 1 .. 2;
is_deeply($sql->rows("
    SELECT kind, count(*), min(floor), max(slot) FROM ledger.account
    WHERE currency = 'XTS' GROUP BY kind ORDER BY kind"),
    [['citadel_fund', 5, 0, 4], ['exchange', 1, 0, 0],
     ['issuance', 1, -500, 0], ['marketplace', 5, 0, 4]],
    'with the accounts of the house, once');

# all that may ever be issued is written where it is enforced
is($sql->value("SELECT floor FROM ledger.account
                WHERE kind = 'issuance' AND currency = 'AZR'"),
   '-100000000000000000', 'a thousand million AZR');

done_testing();

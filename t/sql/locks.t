# The one order in which locks are taken: whoever waits for an earlier one has
# no later one yet, so that nobody waits in a circle; and tasks that leave each
# other alone.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my ($ama, $kofi, $quiz) = map { $sql->register($_) } qw(ama kofi quiz);
my $first = $sql->connect;
my $app = $sql->app;

sub wallet { $sql->value("SELECT ledger.wallet(?, 'AZR')", $_[0]) }

# whose wallet was made first is locked first
my ($lower, $higher) = map { wallet($_) } $ama, $kofi;
$sql->issue($_, 'AZR', 1000) for $ama, $kofi;

sub owner { return [{ role => 'azora_owner' }, @_] }

sub paying { return [$sql->transfer_statement([@_])] }

sub lock_row {
    my ($on, $table, $column, $value, $how) = @_;
    return eval { $on->do("SELECT 1 FROM ledger.$table WHERE $column = ?
                           FOR UPDATE " . ($how // ''), undef, $value) };
}

# A call that waits for the row has none of those that come later.
sub has_no_later_one {
    my ($name, $call, $row, @later) = @_;

    $first->begin_work;
    lock_row($first, @$row);
    my $waiting = $sql->start(@$call);
    ok($sql->wait_for_lock($waiting), "$name waits for the first");
    for (@later) {
        ok(lock_row($first, @$_, 'NOWAIT'), 'and has not the later one')
            or diag $@;
    }
    $first->rollback;
    my $outcome = $sql->finish($waiting);
    is($outcome->{error}, undef, 'then it goes on');
    return $outcome->{rows};
}

sub account { return ['account', 'id', $_[0]] }

sub hold {
    my ($from, $to, $column, $when) = @_;
    return $sql->value("SELECT ledger.place_hold(account => ?, credit => ?,
                            minor => 1, reference => NULL,
                            $column => now() + ?::interval)",
                       $from, $to, $when);
}

sub reward {
    my ($who) = @_;
    return $sql->value("SELECT journal.append('course.passed', ?, ?)", $who,
        qq({"account": "$who", "currency": "AZR", "reward_minor": 10,
            "quiz": "$quiz", "course": "a"}));
}


# accounts, whichever side comes first
for my $pair ([$ama, $kofi], [$kofi, $ama]) {
    has_no_later_one('a transfer',
        paying({ as => $pair->[0], to => $pair->[1],
                 amount => '0.00000001' }),
        account($lower), account($higher));
}

# a hold's own accounts, whoever pays
my $held = hold($higher, $lower, 'expires_at', '1 hour');
has_no_later_one('a hold that is posted',
    owner("SELECT ledger.post_hold(?, ?, 1, 'hold')", $held, $lower),
    account($lower), account($higher));

# tasks lock the accounts of all that is due before they touch any of it
my ($third, $fourth) = map { wallet($sql->register($_)) } qw(afia abena);
$sql->{dbh}->do('UPDATE ledger.account SET floor = -10 WHERE id = ?', undef,
                $third);
hold($third, $fourth, 'settles_at', '-2 minutes');
hold($higher, $lower, 'settles_at', '-1 minute');
is(has_no_later_one('what settles', ['SELECT ledger.settle_holds(10) AS n'],
                    account($lower), map { account($_) } $higher, $third,
                    $fourth)->[0]{n}, 2, 'both are paid');
hold($higher, $lower, 'expires_at', '-2 minutes');
hold($lower, $higher, 'expires_at', '-1 minute');
is(has_no_later_one('what expires', ['SELECT ledger.expire_holds(10) AS n'],
                    account($lower), account($higher))->[0]{n}, 2,
   'both are free');

# issuance: policy, day, accounts
$sql->value("SELECT ledger.lock_issuance('AZR')");
my @day = ('issuance_day', 'currency', 'AZR');
reward($kofi);
has_no_later_one('a reward', ['SELECT ledger.consume_rewards(10)'],
                 ['issuance_policy', 'currency', 'AZR'], \@day,
                 account($higher));
reward($ama);
has_no_later_one('one more', ['SELECT ledger.consume_rewards(10)'], \@day,
                 account($lower));
is($sql->value("SELECT count(*) FROM ledger.transfer WHERE kind = 'reward'"),
   2, 'both are paid');

# whoever waited for the policy goes by what it became
$first->begin_work;
lock_row($first, 'issuance_policy', 'currency', 'AZR');
my $minting = $sql->start(@{ owner("SELECT ledger.mint('AZR', 30)") });
ok($sql->wait_for_lock($minting), 'who mints waits for the policy');
$first->do("UPDATE ledger.issuance_policy SET day_max = 49
            WHERE currency = 'AZR'");
$first->commit;
is($sql->finish($minting)->{message}, 'issuance-limit',
   'and keeps to what it says by then');


# wallets that come into being: two that open the same ones
my ($esi, $yaw) = sort map { $sql->register($_) } qw(esi yaw);
$first->begin_work;
$first->do("SELECT ledger.wallet(?, 'AZR')", undef, $esi);
my $both = $sql->start(@{ paying(map { { as => $ama, to => $_,
    amount => '0.00000001' } } $yaw, $esi) });
ok($sql->wait_for_lock($both), 'the second one waits');
ok(eval { $first->do("SET LOCAL lock_timeout = '5s'");
          $first->do("SELECT ledger.wallet(?, 'AZR')", undef, $yaw) },
   'and has not opened a later one') or diag $@;
$first->commit;
is_deeply([map { $_->{problem} // $_->{status} }
           @{ $sql->finish($both)->{rows} // [] }], [201, 201],
          'a wallet that another one opened is as good');


# one task at a time, and none waits for what somebody does by hand
my $people = 0;
my %task = (
    settle_holds => sub { hold($lower, $higher, 'settles_at', '-1 s') },
    expire_holds => sub { hold($lower, $higher, 'expires_at', '-1 s') },
    consume_rewards => sub { reward($sql->register('r' . ++$people)) },
);
$sql->{dbh}->do("UPDATE ledger.issuance_policy SET day_max = 1000
                 WHERE currency = 'AZR'");
$app->do("SET lock_timeout = '5s'");

for my $task (sort keys %task) {
    my $run = sub { ($_[0]->selectrow_array("SELECT ledger.$task(1)"))[0] };

    $task{$task}->() for 1 .. 2;
    $first->begin_work;
    is($run->($first), 1, "$task: one");
    is(eval { $run->($app) } // $@, 0, 'nobody else meanwhile');
    $first->rollback;
    is($run->($app), 1, 'and then the next') for 1 .. 2;
    is($run->($app), 0, 'until nothing is left');
}

for my $column (qw(settles_at expires_at)) {
    my $task = $column eq 'settles_at' ? 'settle_holds' : 'expire_holds';
    my @due = map { hold($lower, $higher, $column, "-$_ s") } 2, 1;

    $first->begin_work;
    lock_row($first, 'hold', 'id', $due[0]);
    is(eval { ($app->selectrow_array("SELECT ledger.$task(10)"))[0] } // $@,
       1, "$task passes over one that somebody ends");
    $first->rollback;
    is($app->selectrow_array("SELECT ledger.$task(10)"), 1,
       'and comes back to it');
}
is_deeply($sql->errors_in_books, [], 'the books are right');

done_testing();

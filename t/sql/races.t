# Two sessions at every step of money: whoever comes second waits for the first
# and then decides by what the first one left, whether that ended, was taken
# back, or was cut off.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my ($ama, $kofi, $esi, $admin) = map { $sql->register($_) }
                                 qw(ama kofi esi admin);
my $first = $sql->connect;
my %first = (on => $first);
my $rewards = 'SELECT ledger.consume_rewards(10)';


sub wallet { $sql->value("SELECT ledger.wallet(?, ?)", $_[0], $_[1] // 'AZR') }

sub set_balance {
    my ($who, $minor, $currency) = (@_, 'AZR');
    my $more = $minor - $sql->balance($who, $currency);
    my ($from, $to) = ("ledger.house('issuance', ?)", 'ledger.wallet(?, ?)');
    $sql->issue($who, $currency, $more) if $more > 0;
    $sql->value("SELECT ledger.post(ARRAY[ledger.movement(
        ledger.wallet(?, ?), ledger.house('issuance', ?), ?, ?, 'burn')])",
        $who, $currency, $currency, -$more, $currency) if $more < 0;
}

sub transfer {
    my (%item) = (as => $ama, to => $kofi, amount => '0.00000100', @_);
    return $sql->transfers([\%item], $item{on} ? (on => $item{on}) : ())
           ->[0];
}

# The outcome of an endpoint's call that has to wait until then() ran on the
# first connection, which is in a transaction: problem or status.
sub after_waiting {
    my ($call, $then) = @_;
    my $second = $sql->start(@$call);
    ok($sql->wait_for_lock($second), 'the second one waits');
    $then->();
    my $outcome = $sql->finish($second);
    return $outcome->{message} if !$outcome->{rows};
    return $outcome->{rows}[0]{problem} // $outcome->{rows}[0]{status};
}

sub second { return [$sql->statement(@_)] }

sub paying {
    return [$sql->transfer_statement([{ as => $ama, to => $kofi,
                                        amount => '0.00000100', @_ }])];
}

sub lock_row {
    my ($table, $column, $value) = @_;
    $first->begin_work;
    $first->do("SELECT 1 FROM ledger.$table WHERE $column = ? FOR UPDATE",
               undef, $value);
}

sub commit { $first->commit }

sub hold {
    my ($minor, %more) = @_;
    return $sql->call('ledger.create_hold', as => $ama, currency => 'AZR',
        to => $kofi, amount => sprintf('0.%08d', $minor), memo => undef,
        expires_at => undef, settles_at => undef, %more)->{body}{id};
}


# what was frozen while one waited
for my $frozen ($ama, $kofi) {
    my $who = $frozen eq $ama ? 'payer' : 'payee';
    my $freeze = sub {
        $first->do('UPDATE ledger.account SET frozen = true WHERE owner = ?',
                   undef, $frozen);
        commit();
    };
    my $thaw = sub { $sql->{dbh}->do('UPDATE ledger.account
                                      SET frozen = false') };
    set_balance($ama, 1000);
    set_balance($kofi, 1000);
    my $paid = transfer()->{body}{id};
    my $hold = hold(50);

    lock_row('account', 'id', wallet($frozen));
    is(after_waiting(paying(), $freeze), 'account-frozen',
       "a transfer whose $who is frozen meanwhile");
    $thaw->();

    lock_row('account', 'id', wallet($frozen));
    is(after_waiting(second('ledger.capture_hold', as => $kofi, id => $hold,
                            amount => undef), $freeze),
       'account-frozen', "a hold whose $who is");
    is($sql->call('ledger.reverse_transfer', as => $kofi, id => $paid,
                  amount => undef, memo => undef)->{problem},
       'account-frozen', 'a reversal');
    is($sql->call('ledger.create_hold', as => $ama, currency => 'AZR',
                  to => $kofi, amount => '0.00000001', memo => undef,
                  expires_at => undef, settles_at => undef)->{problem},
       'account-frozen', 'nothing is held of it or for it');
    is($sql->call('ledger.release_hold', as => $kofi, id => $hold)->{status},
       200, 'a hold can be given up');
    $thaw->();
}
is_deeply($sql->errors_in_books, [], 'the books are right');

# an exchange
$sql->{dbh}->do("INSERT INTO ledger.rate VALUES
    ('AZR', 'KES', 100000, 100, now() + interval '1 hour')");
$sql->value("SELECT ledger.set_floor(ledger.house('exchange', 'KES'),
                                     -1000000)");
sub quote {
    return $sql->call('ledger.create_quote', as => $ama, sell => 'AZR',
                      buy => 'KES', amount => '0.00000100')->{body}{id};
}
my @take = ('ledger.take_quote', as => $ama);
for my $currency (qw(AZR KES)) {
    my $quote = quote();
    lock_row('account', 'id', wallet($ama, $currency));
    is(after_waiting(second(@take, id => $quote), sub {
        $first->do('UPDATE ledger.account SET frozen = true WHERE id = ?',
                   undef, wallet($ama, $currency));
        commit();
    }), 'account-frozen', "an exchange whose $currency is frozen meanwhile");
    $sql->{dbh}->do('UPDATE ledger.account SET frozen = false');
}

my $quote = quote();
lock_row('quote', 'id', $quote);
is(after_waiting(second(@take, id => $quote), sub {
    $first->do('UPDATE ledger.quote SET expires_at = now() - interval $$1 s$$
                WHERE id = ?', undef, $quote);
    commit();
}), 'quote-expired', 'one that expired meanwhile');

$quote = quote();
$first->begin_work;
is($sql->call(@take, id => $quote, %first)->{status}, 200, 'taken');
is(after_waiting(second(@take, id => $quote), sub { $first->rollback }), 200,
   'and taken back: the second one has it');
is($sql->value("SELECT count(*) FROM ledger.transfer
                WHERE kind = 'exchange_sell'"), 1, 'once');

# cut off in the middle
$quote = quote();
my $cut = $sql->connect;
$cut->begin_work;
is($sql->call(@take, id => $quote, on => $cut)->{status}, 200, 'taken');
my $pid = $cut->{pg_pid};
$cut->{InactiveDestroy} = 1;
is(after_waiting(second(@take, id => $quote), sub {
    $sql->value('SELECT pg_terminate_backend(?)', $pid) }), 200,
   'and cut off: the second one has it');
$sql->{dbh}->do('DELETE FROM ledger.rate');

# what the receiver spent meanwhile
set_balance($ama, 1000);
set_balance($kofi, 0);
my $paid = transfer()->{body}{id};
my @back = ('ledger.reverse_transfer', as => $kofi, id => $paid,
            amount => undef, memo => undef);
$first->begin_work;
is(transfer(as => $kofi, to => $esi, amount => '0.00000001', %first)
   ->{status}, 201, 'the receiver spends a part');
is(after_waiting(second(@back), \&commit), 'insufficient-funds',
   'all of it cannot be given back');
is($sql->call(@back, amount => '0.00000099')->{status}, 201, 'what is left');
is($sql->call(@back, amount => '0.00000002')->{problem}, 'reversal-exceeds',
   'and not more than the rest');

# the receiver and an administrator at once
set_balance($kofi, 1000);
$paid = transfer()->{body}{id};
$back[4] = $paid;
$sql->{dbh}->do('UPDATE ledger.issuance_policy SET four_eyes_above = 1000');
my @force = ('ledger.propose_reversal', as => $admin, roles => ['admin'],
             transfer => $paid, amount => '0.00000060', reason => 'x');
$first->begin_work;
is($sql->call(@force, %first)->{body}{state}, 'done', 'one gives 60 back');
is(after_waiting(second(@back[0 .. 4], amount => '0.00000060',
                        memo => undef), \&commit), 'reversal-exceeds',
   'and the other one no 60 of 100');
is($sql->balance($kofi), 1040, 'so it moved once');

# a hold has one end, whoever brings it
my @end = (['ledger.capture_hold', amount => undef], ['ledger.release_hold']);
for my $case ([@end[0, 1], 'posted'], [@end[1, 0], 'voided'],
              [@end[0, 0], 'posted'])
{
    my ($one, $other, $state) = @$case;

    for my $ends ('commit', 'rollback') {
        my $hold = hold(10);
        $first->begin_work;
        is($sql->call(@$one, as => $kofi, id => $hold, %first)->{status},
           200, "$one->[0], before its $ends");
        is(after_waiting(second(@$other, as => $kofi, id => $hold),
                         sub { $first->$ends }),
           $ends eq 'commit' ? 'wrong-state' : 200, "$other->[0] beside it");
        is($sql->value('SELECT state FROM ledger.hold WHERE id = ?', $hold),
           $ends eq 'commit' ? $state
           : $other->[0] =~ /capture/ ? 'posted' : 'voided', 'it ended so');
    }
}
my $due = hold(10);
$sql->{dbh}->do('UPDATE ledger.hold SET expires_at = now() WHERE id = ?',
                undef, $due);
$first->begin_work;
$first->do(q{SELECT ledger.give_hold_back(?, 'voided')}, undef, $due);
$sql->app->do("SET lock_timeout = '5s'");
is($sql->app->selectrow_array('SELECT ledger.expire_holds(10)'), 0,
   'the task passes over one that is being ended');
$sql->app->do('RESET lock_timeout');
$first->rollback;
is($sql->app->selectrow_array('SELECT ledger.expire_holds(10)'), 1,
   'and comes back to it');

# whoever is forgotten while what they promised is paid
my $going = $sql->register('going');
sub forgetting { return 'SELECT ledger.erase_person(?)' }
set_balance($going, 1000);
my $owed = hold(10, as => $going, memo => 'for the bus');
lock_row('hold', 'id', $owed);
is(after_waiting([{ role => 'azora_owner' }, forgetting(), $going], sub {
    is($sql->call('ledger.capture_hold', as => $kofi, id => $owed,
                  amount => undef, %first)->{status}, 200,
       'what somebody promised is being paid');
    commit();
}), undef, 'while they are forgotten');
is_deeply($sql->rows('SELECT state, memo FROM ledger.hold WHERE id = ?',
                     $owed)->[0], ['posted', undef], 'both happen');

# and what is promised to somebody while they are forgotten
my $gone = $sql->register('gone');
wallet($gone);
set_balance($ama, 1000);
$first->begin_work;
$first->do(forgetting(), undef, $gone);
my @late = (hold(10, to => $gone),
            hold(20, to => $gone, settles_at => $sql->value(
                     q{SELECT now() + interval '1 hour'})));
commit();
is($sql->call('ledger.capture_hold', as => $ama, id => $_, amount => undef)
   ->{problem}, 'account-frozen', 'nobody pays who is gone') for @late;
$sql->{dbh}->do('UPDATE ledger.hold SET settles_at = now() WHERE id = ?',
                undef, $late[1]);
is($sql->app->selectrow_array('SELECT ledger.settle_holds(10)'), 1,
   'what was to settle ends');
is_deeply($sql->rows('SELECT h.state, a.held, a.balance
                      FROM ledger.hold AS h
                           JOIN ledger.account AS a ON a.id = h.account
                      WHERE h.id = ?', $late[1])->[0],
          ['voided', 10, 1000], 'and is free again');
is($sql->balance($gone), 0, 'they got nothing');
$sql->value(q{SELECT ledger.give_hold_back(?, 'voided')}, $late[0]);

# credit that is lowered, and rewards at the end of what may ever be
set_balance($ama, 0);
$sql->value('SELECT ledger.set_floor(?, -100)', wallet($ama));
$first->begin_work;
$first->do('SELECT ledger.set_floor(?, -99)', undef, wallet($ama));
is(after_waiting(paying(), \&commit), 'insufficient-funds',
   'a payment sees the limit that was being lowered');
$first->begin_work;
is(transfer(amount => '0.00000099', %first)->{status}, 201, 'what is left');
is(after_waiting([{ role => 'azora_owner' },
                  'SELECT ledger.set_floor(?, 0)', wallet($ama)], \&commit),
   'credit-in-use', 'and a limit the payment that was being made');

$sql->{dbh}->do("UPDATE ledger.issuance_policy SET reward_total_max = 500
                 WHERE currency = 'AZR'");
$first->begin_work;
$first->do("SELECT ledger.mint('AZR', 300)");
is(after_waiting([{ role => 'azora_owner' },
                  "SELECT ledger.mint('AZR', 300)"], \&commit),
   'issuance-limit', 'two rewards do not pass the last of it together');
is($sql->value("SELECT sum(minted) FROM ledger.issuance_day
                WHERE currency = 'AZR'"), 300, 'one does');

# rewards of several people at once, while money moves between two of them
$sql->{dbh}->do("UPDATE ledger.issuance_policy SET reward_total_max = NULL
                 WHERE currency = 'AZR'");
my ($lower, $higher) = sort { wallet($a) <=> wallet($b) } $ama, $kofi;
$sql->value("SELECT journal.append('course.passed', ?, ?)", $_,
    qq({"account": "$_", "currency": "AZR", "reward_minor": 10,
        "quiz": "$admin", "course": "a"})) for $higher, $lower;
lock_row('account', 'id', wallet($lower));
is(after_waiting([$rewards], sub {
    ok(eval { $first->do('SELECT 1 FROM ledger.account WHERE id = ?
                          FOR UPDATE NOWAIT', undef, wallet($higher)) },
       'it has no later one while it waits for the first') or diag $@;
    $first->rollback;
}), undef, 'rewards wait for a payment');
is($sql->value("SELECT count(*) FROM ledger.transfer
                WHERE kind = 'reward'"), 2, 'both are paid');

# and for somebody who is being forgotten
my $leaver = $sql->register('leaver');
my $session = $sql->value("INSERT INTO identity.session
        (id, account, expires_at)
    VALUES (azora.uuid7(), ?, now() + interval '1 day') RETURNING id",
    $leaver);
$sql->{dbh}->do("INSERT INTO azora.idempotency
    VALUES (?, 'POST /v1/test', 'k', 'h')", undef, $leaver);
$sql->value("SELECT journal.append('course.passed', ?, ?)", $leaver,
    qq({"account": "$leaver", "currency": "AZR", "reward_minor": 10,
        "quiz": "$admin", "course": "a"}));
$first->begin_work;
$first->do('SELECT 1 FROM azora.idempotency WHERE subject = ? FOR UPDATE',
           undef, $leaver);
my $leaving = $sql->start(
    "SELECT status FROM identity.erase_me((?, ?, '{learner}', 'r', NULL, NULL,
         'DELETE /v1/me', NULL, NULL)::azora.caller)", $leaver, $session);
ok($sql->wait_for_lock($leaving), 'they are on their way out');
$sql->app->do("SET lock_timeout = '5s'");
is(eval { ($sql->app->selectrow_array($rewards))[0] }, 0,
   'nobody waits to pay them') or diag $@;
$sql->app->do('RESET lock_timeout');
commit();
is($sql->finish($leaving)->{rows}[0]{status}, 204, 'they are gone');
is($sql->app->selectrow_array($rewards), 0, 'and were not paid');

# a day's limit
set_balance($ama, 1000);
$sql->value('SELECT ledger.set_floor(?, 0)', wallet($ama));
$sql->{dbh}->do("INSERT INTO ledger.tier_limit (currency, tier, day_max)
                 VALUES ('AZR', 0, ledger.spent_today(?) + 150)", undef,
                wallet($ama));
$first->begin_work;
is(transfer(%first)->{status}, 201, 'the first one pays');
is(after_waiting(paying(), \&commit), 'day-limit',
   'and the second one not, in the same day');
$first->begin_work;
is($sql->call('ledger.create_hold', as => $ama, currency => 'AZR',
       to => $kofi, amount => '0.00000030', memo => undef,
       expires_at => undef, settles_at => undef, %first)->{status}, 201,
   'what is held');
is(after_waiting(paying(amount => '0.00000030'), \&commit), 'day-limit',
   'counts for whoever waits');
is_deeply($sql->errors_in_books, [], 'the books are right');

# and the first limit of a currency
$sql->{dbh}->do('DELETE FROM ledger.tier_limit');
lock_row('account', 'id', wallet($ama));
is(after_waiting(paying(), sub {
    $first->do("INSERT INTO ledger.tier_limit (currency, tier, transfer_max)
                VALUES ('AZR', 0, 99)");
    commit();
}), 'transfer-limit', 'binds whoever waits while it is set');

done_testing();

# Holds: money that is promised stays, is paid once or in part, and comes back;
# racing ones never take more than there is.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my ($ama, $kofi) = map { $sql->register($_) } qw(ama kofi);
$sql->issue($ama, 'AZR', 1000);
my ($payer, $payee) = map {
    $sql->value("SELECT ledger.wallet(?, 'AZR')", $_) } $ama, $kofi;

my $place = 'SELECT ledger.place_hold(?, ?, NULL)';
my $void = q{SELECT ledger.give_hold_back(?, 'voided')};
my $post = "SELECT ledger.post_hold(?, ?, ?, 'transfer')";


# undef when it worked, otherwise the name of the refusal
sub refused {
    my ($query, @bind) = @_;
    return undef if eval { $sql->{dbh}->do($query, undef, @bind); 1 };
    return $sql->refusal($sql->{dbh})->{problem};
}

sub wallet { $sql->call('ledger.get_wallet', as => $ama,
                        currency => 'AZR')->{body} }


my $hold = $sql->value($place, $payer, 600);
is(wallet()->{posted}, '0.00001000', 'what is held is still there');
is(wallet()->{pending}, '0.00000600', 'but pending');
is(wallet()->{available}, '0.00000400', 'and not available');
is(refused($place, $payer, 401), 'insufficient-funds', 'nor to be held again');
is(refused($place, $payer, 0), 'amount-out-of-range', 'nothing is no hold');
is($sql->transfers([{ as => $ama, to => $kofi, amount => '0.00000401' }])
   ->[0]{problem}, 'insufficient-funds', 'nor to be sent');
is($sql->transfers([{ as => $ama, to => $kofi, amount => '0.00000400' }])
   ->[0]{status}, 201, 'the rest can be');

is(refused($post, $hold, $payee, 601), 'amount-out-of-range',
   'not more than is held is paid');
is(refused($post, $hold, $payee, 0), 'amount-out-of-range', 'nor nothing');
is(refused($post, $hold, $payee, 250), undef, 'a part is paid');
is_deeply([$sql->balance($ama), $sql->balance($kofi)], [350, 650], 'and moves');
is($sql->value('SELECT count(*) FROM ledger.transfer AS t
                     JOIN ledger.hold AS h ON h.id = t.reference
                WHERE h.id = ? AND h.transfer = t.id', $hold), 1,
   'by a movement that refers to it');
is(wallet()->{available}, '0.00000350', 'the rest is free');
is(refused($post, $hold, $payee, 1), 'wrong-state', 'once');
is(refused($void, $hold), 'wrong-state',
   'and cannot be voided any more');

$hold = $sql->value($place, $payer, 350);
is(refused($void, $hold), undef, 'a hold is voided');
is(refused($void, $hold), 'wrong-state', 'once');
is(wallet()->{available}, '0.00000350', 'and free again');

$sql->value("SELECT ledger.place_hold(?, 100, NULL, now() + '1 hour')",
            $payer);
$sql->value("SELECT ledger.place_hold(?, 100, NULL, now())", $payer);
is($sql->app->selectrow_array('SELECT ledger.expire_holds(10)'), 1,
   'one whose time is over expires');
is($sql->app->selectrow_array('SELECT ledger.expire_holds(10)'), 0, 'once');
is(wallet()->{pending}, '0.00000100', 'the other one stays');

# what has expired is over, also before the task comes by
my $late = $sql->value('SELECT ledger.place_hold(?, 50, NULL, now(), NULL, ?)',
                       $payer, $payee);
is($sql->call("ledger.$_->[0]", as => $kofi, id => $late, @$_[1 .. $#$_])
   ->{problem}, 'wrong-state', "$_->[0] comes too late")
    for ['capture_hold', amount => undef], ['release_hold'];
is($sql->app->selectrow_array('SELECT ledger.expire_holds(10)'), 1,
   'then it is free');

# racing holds: 250 are left, each wants 100
my @outcomes = map { $sql->finish($_) } map {
    $sql->start({ role => 'azora_owner' },
                'SELECT ledger.place_hold(?, 100, NULL)', $payer) } 1 .. 6;
is((grep { ($_->{message} // '') eq 'insufficient-funds' } @outcomes), 4,
   'four of six racing holds are refused');
is(wallet()->{available}, '0.00000050', 'two fit');

# racing payments of one hold
$hold = $sql->value("SELECT id FROM ledger.hold WHERE state = 'pending'
                     ORDER BY id DESC LIMIT 1");
@outcomes = map { $sql->finish($_) } map {
    $sql->start({ role => 'azora_owner' },
                "SELECT ledger.post_hold(?, ?, 100, 'transfer')", $hold,
                $payee) } 1 .. 6;
is((grep { $_->{rows} } @outcomes), 1, 'one of six racing payments wins');
is((grep { ($_->{message} // '') eq 'wrong-state' } @outcomes), 5,
   'the others are told');
is($sql->balance($kofi), 750, 'the money moved once');
is_deeply($sql->errors_in_books, [], 'the books are right');

# what was promised for a time long ago, and could not be paid since
my $held = wallet()->{pending};
sub freeze { $sql->{dbh}->do('UPDATE ledger.account SET frozen = id = ?
                              WHERE owner IS NOT NULL', undef, $_[0]) }
$sql->{dbh}->do('UPDATE ledger.account SET floor = -1000 WHERE id = ?', undef,
                $payer);
for (
    ['the payee has no room', 29, 'pending', sub {
        $sql->{dbh}->do("INSERT INTO ledger.tier_limit
            (currency, tier, balance_max) VALUES ('AZR', 0, 750)") }],
    ['the payee has no room', 31, 'expired'],
    ['the payee has room for this and no more', 31, 'posted', sub {
        $sql->{dbh}->do('UPDATE ledger.tier_limit SET balance_max = 751') }],
    ['others have no room', 31, 'posted', sub {
        $sql->{dbh}->do('UPDATE ledger.tier_limit SET tier = 2,
                         balance_max = 750') }],
    ['the payee has room', 31, 'posted', sub {
        $sql->{dbh}->do('DELETE FROM ledger.tier_limit') }],
    ['the payee is frozen', 29, 'pending', sub { freeze($payee) }],
    ['the payee is frozen', 31, 'expired', sub { freeze($payee) }],
    ['the payer is frozen', 31, 'pending', sub { freeze($payer) }],
    ['and the payee has no room', 31, 'pending', sub {
        freeze($payer);
        $sql->{dbh}->do("INSERT INTO ledger.tier_limit
            (currency, tier, balance_max) VALUES ('AZR', 0, 750)") }],
) {
    my ($why, $days, $state, $hinder) = @$_;

    freeze(0);
    my $hold = $sql->value('SELECT ledger.place_hold(?, 1, NULL, NULL,
                                now() - interval $$1 day$$ * ?, ?)', $payer,
                           $days, $payee);
    $hinder->() if $hinder;
    is($sql->app->selectrow_array('SELECT ledger.settle_holds(10)'),
       $state eq 'pending' ? 0 : 1, "after $days days, $why");
    is($sql->value('SELECT state FROM ledger.hold WHERE id = ?', $hold),
       $state, "it is $state");
    is($sql->value("SELECT count(*) FROM journal.entry AS e
                         JOIN journal.payload AS p ON p.entry = e.id
                    WHERE e.type = ? AND p.body::json ->> 'hold' = ?",
                   "hold.$state", $hold), $state eq 'pending' ? 0 : 1,
       'as is journaled');
    $sql->value($void, $hold) if $state eq 'pending';
}
$sql->{dbh}->do('DELETE FROM ledger.tier_limit');
is(wallet()->{pending}, $held, 'nothing of them is held any more');

# the tasks look at what is pending: what has ended keeps nothing waiting
freeze(0);
for my $column (qw(settles_at expires_at)) {
    my $task = $column eq 'settles_at' ? 'settle_holds' : 'expire_holds';
    my $due = sub { $sql->value("SELECT ledger.place_hold(account => ?,
        credit => ?, minor => 1, reference => NULL,
        $column => now() - interval '1 second')", $payer, $payee) };
    for (1 .. 2) {
        $due->();
        is($sql->app->selectrow_array("SELECT ledger.$task(1)"), 1,
           "$task: one after another");
    }
}

# nothing is promised to who is gone, nor by them
$sql->{dbh}->do('UPDATE ledger.account SET closed_at = now() WHERE id = ?',
                undef, $payee);
is(refused('SELECT ledger.place_hold(account => ?, credit => ?, minor => 1,
                reference => NULL)', @$_), 'account-frozen', 'who is gone')
    for [$payer, $payee], [$payee, $payer];
is_deeply($sql->errors_in_books, [], 'the books are right');

done_testing();

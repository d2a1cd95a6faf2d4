# What a batch of transfers promises beside what each of them does: its quick
# way answers only what it wrote, and identifiers rise as the items came.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Azora::SQL;
use Test::More;

my $sql = Azora::SQL->new;
my ($ama, $kofi, $esi) = map { $sql->register($_) } qw(ama kofi esi);

$sql->issue($ama, 'AZR', 1_000);
$sql->issue($kofi, 'AZR', 1_000);
$sql->issue($esi, 'AZR', 100);


sub minor { return sprintf '0.%08d', $_[0] }

sub count { return $sql->value("SELECT count(*) FROM $_[0]") }


# Items of several people, with keys of their own; the second is from Kofi.
my $key = 0;

sub send_all {
    my (@amounts) = @_;
    return $sql->transfers([map {
        { as => $_ == 1 ? $kofi : $ama, to => $esi, key => 'k' . ++$key,
          amount => minor($amounts[$_]) }
    } 0 .. $#amounts]);
}


# a good batch
my @before = map { count($_) } qw(ledger.transfer journal.entry
                                  journal.payload);
my $good = send_all(10, 20, 30, 40);

is_deeply([map { $_->{status} } @$good], [(201) x 4], 'a good batch');
is_deeply([map { count($_) } qw(ledger.transfer journal.entry
                                journal.payload)],
          [map { $_ + 4 } @before], 'is written and journaled');
is($sql->balance($esi), 200, 'to the last unit');

my @ids = map { $_->{body}{id} } @$good;
is_deeply([sort @ids], \@ids, 'identifiers rise as the items came');
is(scalar(grep { /^.{14}7.{4}[89ab]/ } @ids), 4, 'and are of version 7');
is_deeply($sql->rows('SELECT t.id FROM ledger.transfer AS t
                      WHERE t.created_at <> azora.uuid7_time(t.id)'),
          [], 'their times are those of the transfers');
is_deeply($sql->rows(q{
    SELECT t.id::text FROM ledger.transfer AS t
         LEFT JOIN journal.payload AS p ON p.body->>'transfer' = t.id::text
              AND (p.body->>'minor')::bigint = t.amount
              AND (p.body->>'debit')::bigint = t.debit
         LEFT JOIN journal.entry AS e ON e.id = p.entry
              AND e.payload_hash = sha256(p.salt
                                   || convert_to(p.body::text, 'UTF8'))
    WHERE t.kind = 'transfer' AND e.id IS NULL}),
    [], 'each has its event, whose hash opens');

# one item that cannot be: found late, when all else is written already
for my $wrong (
    ['funds that are not there', sub { send_all(1, 2, 2_000, 1) },
     [201, 201, 409, 201], 4],
    ['funds that come too late', sub { $sql->transfers([
        { as => $esi, to => $ama, amount => minor(205), key => 'late' },
        { as => $ama, to => $esi, amount => minor(1), key => 'late' }]) },
     [409, 201], 1],
    # Ama's third and fifth again; the fourth was hers, not Kofi's
    ['keys used before', sub { $key = 2; send_all(30, 1, 1) },
     [201, 201, 201], 1],
    ['a balance that does not fit', sub { $sql->transfers([
        { as => $ama, to => $esi, amount => '92233720368', key => 'max' },
        { as => $ama, to => $esi, amount => minor(7), key => 'min' }]) },
     [409, 201], 7],
) {
    my ($name, $code, $statuses, $more) = @$wrong;
    my $had = $sql->balance($esi);
    my $transfers = count('ledger.transfer');
    my $journaled = count('journal.entry');
    my $replies = $code->();
    my %made = map { $_->{body}{id} => 1 }
               grep { $_->{status} == 201 } @$replies;
    my $kept = 0;

    $kept += $sql->value('SELECT count(*) FROM ledger.transfer
                          WHERE id = ?', $_) for keys %made;

    is_deeply([map { $_->{status} } @$replies], $statuses, $name);
    is($kept, scalar keys %made, 'what is answered is there');
    is($sql->balance($esi) - $had, $more, 'and moved');
    is(count('journal.entry') - $journaled,
       count('ledger.transfer') - $transfers, 'with an event each');
}

# of one currency what is paid in it, whatever else a person has
my $yaw = $sql->register('yaw');
$sql->issue($yaw, 'AZR', 100);
is_deeply([map { $_->{problem} // $_->{status} } @{ $sql->transfers([
    { as => $ama, to => $kofi, amount => minor(1), key => 'azr' },
    { as => $yaw, to => $esi, amount => '0.01', currency => 'USD',
      key => 'usd' }]) }], [201, 'insufficient-funds'],
          'one with another currency has nothing of this one');
is($sql->balance($yaw), 100, 'nor pays with the other');
is_deeply($sql->errors_in_books, [], 'the books are right');

# times rise with the numbers of an account, also for who began before
for my $way (
    ['at once', sub { $sql->transfers([{ as => $ama, to => $esi,
        amount => minor(1), key => 'slow' }], @_)->[0] }],
    ['one by one', sub { $sql->transfers([{ as => $ama,
        to => 'esi@example.org', amount => minor(1), key => 'slower' }],
        @_)->[0] }],
    ['as a hold', sub {
        my (undef, $dbh) = @_;
        my @ask = (as => $ama, on => $dbh);
        my $hold = $sql->call('ledger.create_hold', @ask, to => $esi,
            currency => 'AZR', amount => minor(1), memo => undef,
            expires_at => undef, settles_at => undef)->{body}{id};
        $sql->call('ledger.capture_hold', @ask, id => $hold,
                   amount => undef) }],
) {
    my ($name, $pay) = @$way;
    my $slow = $sql->connect(role => 'azora_app');

    $slow->begin_work;
    $slow->do('SELECT now(), pg_sleep(0.01)');
    $sql->issue($esi, 'AZR', 1);
    cmp_ok($pay->(on => $slow)->{status}, '<', 300, "paid $name");
    $slow->commit;
    is_deeply($sql->rows('
        SELECT p.account, p.seq
        FROM (SELECT q.account, q.seq, t.created_at,
                     lag(t.created_at) OVER (PARTITION BY q.account
                                             ORDER BY q.seq) AS before
              FROM ledger.posting AS q
                   JOIN ledger.transfer AS t ON t.id = q.transfer) AS p
        WHERE p.created_at < p.before'), [], "times rise, $name");
}

# some of a batch are only asked what would be
sub with_rehearsals {
    my (@items) = @_;
    my ($query, @bind) = $sql->transfer_statement(\@items);
    $query =~ s/\)\s*\z/, metadata => ?::jsonb[], dry_run => ?::boolean[])/;
    return $sql->batch_replies($sql->app->selectall_arrayref($query,
        { Slice => {} }, @bind, [map { $_->{metadata} } @items],
        [map { $_->{dry_run} } @items]));
}

my $had = $sql->balance($esi);
my $some = with_rehearsals(
    { as => $ama, to => $esi, amount => minor(1), dry_run => 1,
      metadata => '{"n": 1}', key => 'r1' },
    { as => $ama, to => $esi, amount => minor(20), metadata => '{"n": 2}',
      key => 'r2' },
    { as => $yaw, to => $esi, amount => minor(101), dry_run => 't' },
    { as => $yaw, to => $ama, amount => minor(101), key => 'r4' },
    { as => $yaw, to => $esi, amount => minor(3), memo => 'four',
      metadata => '{"n": 5}', key => 'r5', dry_run => 0 },
    { as => $ama, to => $esi, amount => minor(20), metadata => '{"n": 2}',
      key => 'r2' });
is_deeply([map { $_->{problem} // $_->{status} } @$some],
          [200, 201, 'insufficient-funds', 'insufficient-funds', 201, 201],
          'each has its own answer, in its place');
is($some->[5]{text}, $some->[1]{text}, 'a repeat that of the first');
is_deeply([map { $some->[$_]{body}{amount} } 0, 1, 4],
          [minor(1), minor(20), minor(3)], 'to what it asked');
is($sql->balance($esi) - $had, 23, 'only the others moved');
is_deeply($sql->rows("
    SELECT t.id, m.body ->> 'n', t.memo FROM ledger.metadata AS m
         JOIN ledger.transfer AS t ON t.id = m.transfer ORDER BY t.id"),
    [[$some->[1]{body}{id}, 2, undef], [$some->[4]{body}{id}, 5, 'four']],
    'with what was attached to them');
is(count('ledger.metadata'), 2, 'and nothing besides');
is_deeply($sql->rows(q{
    SELECT t.id FROM ledger.transfer AS t
         JOIN ledger.account AS a ON a.id = t.debit
         JOIN journal.payload AS p ON p.body->>'transfer' = t.id::text
    WHERE t.kind = 'transfer' AND p.subject IS DISTINCT FROM a.owner}), [],
    'every event is about who paid');

# limits, item by item: what came before in the batch counts
my ($abena, $dela, $efua) = map { $sql->register($_) } qw(abena dela efua);
$sql->issue($abena, 'AZR', 100);

sub tries {
    return [map { $_->{problem} // $_->{status} } @{ $sql->transfers([map {
        { as => $_->[0], to => $_->[1], amount => minor($_->[2]) } } @_]) }];
}

$sql->{dbh}->do("INSERT INTO ledger.tier_limit
    (currency, tier, transfer_max, day_max, balance_max)
    VALUES ('AZR', 0, 40, 60, 50)");
is_deeply(tries([$abena, $dela, 41], [$abena, $dela, 40], [$abena, $dela, 11],
                [$dela, $efua, 10], [$abena, $dela, 20], [$abena, $efua, 1]),
          ['transfer-limit', 201, 'balance-limit', 201, 201, 'day-limit'],
          'each to the last unit');
$sql->{dbh}->do('UPDATE ledger.tier_limit SET (transfer_max, day_max,
    balance_max, count_max, count_seconds) = (NULL, NULL, NULL, 4, 3600)');
is_deeply(tries(map { [$abena, $efua, 1] } 1 .. 3),
          [201, 201, 'velocity-limit'], 'and so many with the two before');
$sql->{dbh}->do('DELETE FROM ledger.tier_limit');

# identifiers in series
is($sql->value('SELECT azora.uuid7_series(now(), 0)::text'), '{}',
   'none when none is asked for');
is_deeply($sql->rows('
    SELECT count(*), count(DISTINCT s.id), bool_and(s.id > s.before),
           bool_and(azora.uuid7_time(s.id) = ?)
    FROM (SELECT u.id, lag(u.id) OVER (ORDER BY u.n) AS before
          FROM unnest(azora.uuid7_series(?, 1000)) WITH ORDINALITY
               AS u (id, n)) AS s',
    '2026-11-20 08:00:00.123+00', '2026-11-20 08:00:00.123456+00'),
    [[1000, 1000, 1, 1]], 'a thousand rise, all of one moment');

is_deeply($sql->errors_in_books, [], 'the books are right');

done_testing();

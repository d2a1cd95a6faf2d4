# How many events are sent to a webhook at a time: four, one while it fails,
# twelve to those of an account; and whose turn it is.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my ($ama, $kofi) = map { $sql->register($_) } qw(ama kofi);


# Events that have their numbers, and that the task hands out.
sub happen {
    my ($account, $n) = @_;
    $sql->value(q{
        SELECT count(journal.append('test.told', ?, '{}'))
        FROM generate_series(1, ?)}, $account, $n);
    $sql->number_entries;
    1 while $sql->value('SELECT journal.fan_out_webhooks(100)');
}


# What a node that has room for so many gets: {id, lease, hook, seq}
sub claim {
    my ($batch) = @_;
    return map { { id => $_->[0], lease => $_->[1], hook => $_->[2],
                   seq => $_->[3] } } @{ $sql->rows(q{
        SELECT c.id, c.lease, d.webhook, d.seq
        FROM journal.claim_webhooks('webhook', ?, 30000) AS c
             JOIN journal.webhook_delivery AS d ON d.job = c.id
        ORDER BY d.seq}, $batch) };
}


sub end {
    my ($outcome, @jobs) = @_;
    return join ' ', map { $sql->value(
        'SELECT journal.end_webhook(?, ?, ?, ?, 0, 0, 1)',
        $_->{id}, $_->{lease}, $outcome, $outcome) } @jobs;
}


sub of { my ($hook, @jobs) = @_; return grep { $_->{hook} eq $hook } @jobs }


my @hers = map { $sql->webhook($ama) } 1 .. 5;
my $his = $sql->webhook($kofi);
happen($ama, 6);
happen($kofi, 30);

# given little room, then nobody has a second before all have a first
my @first = claim(6);
is_deeply([map { scalar of($_, @first) } @hers, $his], [(1) x 6],
          'each webhook has its turn');

# given much, then the bounds hold
my @more = (@first, claim(42));
is(scalar of($his, @more), 4, 'four at a time');
is(@more - of($his, @more), 12, 'twelve for all of an account');
is_deeply([sort map { scalar of($_, @more) } @hers], [2, 2, 2, 3, 3],
          'shared among them');
is(claim(48), 0, 'and nobody has more, on no node');

my @his = of($his, @more);
my $begin = $his[0]{seq};
is_deeply([map { $_->{seq} - $begin } @his], [0 .. 3],
          'the first ones are begun first');

# one is taken
is(end('done', shift @his), 'done', 'one is delivered');
my @next = claim(48);
is_deeply([map { $_->{hook}, $_->{seq} - $begin } @next], [$his, 4],
          'the next one follows');
push @his, @next;

# it fails
is(end('failed', shift @his), 'waiting', 'one fails');
is(claim(48), 0, 'no more while others are on their way');
end('failed', splice @his, 0, 2);
is(claim(48), 0, 'not even when one is left');
end('failed', shift @his);
@his = claim(48);
is(@his, 1, 'then it gets one at a time');
is(claim(48), 0, 'and no second');
is(end('failed', @his), 'waiting', 'which fails again');
@his = claim(48);
is(@his, 1, 'as does the next');
is(end('done', @his), 'done', 'until it takes one');
@his = claim(48);
is(@his, 4, 'and is trusted again');

# a worker dies: nothing of what it did is on its way any more
$sql->{dbh}->do('UPDATE journal.job SET not_before = created_at
                 WHERE lane = ? AND lease IS NOT NULL', undef, $his);
my @again = claim(48);
is_deeply([sort map { $_->{id} } @again], [sort map { $_->{id} } @his],
          'what a dead worker was sending is sent by others');
is(end('done', $his[0]), 'lost', 'and what it says is not heard');

# those in one state among many in others
$sql->{dbh}->do(q{
    INSERT INTO journal.webhook_delivery (webhook, entry, seq, state)
    SELECT ?, journal.append('test.listed', ?, '{}'), 100000 + n, 'delivered'
    FROM generate_series(1, 3000) AS n}, undef, $his, $kofi);
$sql->{dbh}->do('ANALYZE journal.webhook_delivery');
sub list {
    my ($state) = @_;
    my @call = $sql->statement('journal.list_deliveries', as => $kofi,
        id => $his, state => $state, limit => 5, cursor => undef);
    my $looked = sub { $sql->value(q{
        SELECT t.idx_tup_fetch + t.seq_tup_read
        FROM pg_stat_xact_user_tables AS t
        WHERE t.relid = 'journal.webhook_delivery'::regclass}) };
    $sql->{dbh}->begin_work;
    my $before = $looked->();
    my $page = $sql->reply($sql->{dbh}->selectrow_arrayref(shift @call, undef,
                                                           @call))->{body};
    my $n = $looked->() - $before;
    $sql->{dbh}->rollback;
    return ($n, map { $_->{state} } @{$page->{items}});
}
for my $time (1 .. 6) {
    # until the plan is one that is kept
    list($_) for 'erased', undef;
}
for my $case (['erased'], ['pending', ('pending') x 5],
              [undef, ('delivered') x 5])
{
    my ($state, @expected) = @$case;
    my ($looked, @states) = list($state);
    my $which = $state // 'any state';
    is_deeply(\@states, \@expected, "$which: the last ones");
    cmp_ok($looked, '<', 100, 'without looking at all others');
}

done_testing();

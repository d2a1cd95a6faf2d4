# Two sessions at what is on its way to somebody: whoever comes second waits
# for the first in everybody's order (webhook, job, letter, delivery), and
# nothing is left that nobody will ever do.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my ($kofi, $admin) = map { $sql->register($_) } qw(kofi admin);
my $first = $sql->connect;
my $people = 0;


# An event about somebody, with its number.
sub happen {
    my ($account) = @_;
    my $entry = $sql->value(q{SELECT journal.append('test.told', ?, '{}')},
                            $account);
    $sql->number_entries;
    return $entry;
}


sub fan_out { $_[0]->do('SELECT journal.fan_out_webhooks(1000)') }


# A webhook of somebody new, and the event that is on its way to it.
sub on_the_way {
    my $account = $sql->register('ama' . ++$people);
    my $hook = $sql->webhook($account);
    my $entry = happen($account);
    fan_out($sql->{dbh});
    my $claimed = $sql->rows(
        q{SELECT id, lease FROM journal.claim_webhooks('webhook', 9, 30000)});
    my ($job) = grep { $sql->value('SELECT lane = ? FROM journal.job
                                    WHERE id = ?', $hook, $_->[0]) } @$claimed;
    return { owner => $account, hook => $hook, entry => $entry,
             job => $job->[0], lease => $job->[1] };
}


sub end {
    my ($on, $item, $outcome) = @_;
    return $on->selectrow_array(
        q{SELECT journal.end_webhook(?, ?, ?, '', 0, 0, 1)}, undef,
        @$item{qw(job lease)}, $outcome);
}


sub jobs_of {
    $sql->value('SELECT count(*) FROM journal.job WHERE lane = ?', $_[0]);
}


# What the first connection does while a statement waits for it, which has to
# end as well; its outcome.
sub meanwhile {
    my ($second, $do) = @_;
    my $started = $sql->start(@$second);
    ok($sql->wait_for_lock($started), 'the second one waits');
    ok(eval { $do->(); 1 }, 'and not the first one for it') or diag $@;
    $first->commit;
    return $sql->finish($started);
}


sub state_of {
    my ($outcome) = @_;
    return $outcome->{message} if !$outcome->{rows};
    return $outcome->{rows}[0]{problem} // $outcome->{rows}[0]{status};
}


my @forget = ({ role => 'azora_owner' },
              'SELECT journal.erase_person(?, NULL)');

# whoever is forgotten while an event is sent to them
my $item = on_the_way();
$first->begin_work;
$first->do('SELECT FROM journal.webhook WHERE id = ? FOR NO KEY UPDATE', undef,
           $item->{hook});
my $outcome = meanwhile([@forget, $item->{owner}], sub {
    is(end($first, $item, 'failed'), 'waiting', 'it comes to its end');
});
is($outcome->{message}, undef, 'they are forgotten');
is(jobs_of($item->{hook}), 0, 'with what was on its way');

# or while one is put on its way
my $hook = $sql->webhook($kofi);
happen($kofi);
$first->begin_work;
fan_out($first);
$outcome = meanwhile([@forget, $kofi], sub { });
is($outcome->{message}, undef, 'they are forgotten');
is(jobs_of($hook), 0, 'and nothing goes nowhere for ever');

# a delivery that is sent again while it is old enough to be forgotten
$item = on_the_way();
is(end($sql->{dbh}, $item, 'done'), 'done', 'an event was delivered');
$sql->{dbh}->do(q{UPDATE journal.webhook_delivery
    SET created_at = now() - interval '31 days'});
$first->begin_work;
is($first->selectrow_array('SELECT journal.purge_deliveries(10)'), 1,
   'it is old');
my @again = ('journal.retry_delivery', as => $item->{owner},
             id => $item->{hook}, event => $item->{entry});
$outcome = meanwhile([$sql->statement(@again)], sub { });
is(state_of($outcome), 'not-found', 'and not there to be sent again');
is(jobs_of($item->{hook}), 0, 'nor is anything left of that');

# one that is forgotten while it is sent
$item = on_the_way();
$sql->{dbh}->do(q{UPDATE journal.webhook_delivery
    SET created_at = now() - interval '31 days'});
$first->begin_work;
$first->do('SELECT FROM journal.job WHERE id = ? FOR UPDATE', undef,
           $item->{job});
$sql->app->do("SET lock_timeout = '5s'");
is(eval { ($sql->app->selectrow_array('SELECT journal.purge_deliveries(10)'))
          [0] }, 0, 'what is being ended is passed over') or diag $@;
$sql->app->do('RESET lock_timeout');
is(end($first, $item, 'failed'), 'waiting', 'and ends');
$first->commit;
is($sql->app->selectrow_array('SELECT journal.purge_deliveries(10)'), 1,
   'then it is forgotten');
is(jobs_of($item->{hook}), 0, 'for good');

# a letter that is replayed while its webhook goes
$item = on_the_way();
$sql->{dbh}->do('UPDATE journal.job SET failures_max = 1');
is(end($sql->{dbh}, $item, 'failed'), 'dead', 'one is given up');
my $letter = $sql->value('SELECT id FROM journal.dead_letter WHERE job = ?',
                         $item->{job});
my @replay = ('journal.replay_dead_letter', as => $admin, id => $letter);
$first->begin_work;
$first->do('SELECT FROM journal.job WHERE id = ? FOR UPDATE', undef,
           $item->{job});
$outcome = meanwhile([$sql->statement(@replay)], sub {
    $first->do('SELECT journal.drop_webhook(?)', undef, $item->{hook});
});
is(state_of($outcome), 'not-found', 'it is gone, too');

# or while its owner sends it again
$item = on_the_way();
$sql->{dbh}->do('UPDATE journal.job SET failures_max = 1');
end($sql->{dbh}, $item, 'failed');
$replay[-1] = $sql->value('SELECT id FROM journal.dead_letter WHERE job = ?',
                          $item->{job});
$first->begin_work;
$first->do('SELECT FROM journal.job WHERE id = ? FOR UPDATE', undef,
           $item->{job});
$outcome = meanwhile([$sql->statement(@replay)], sub {
    my ($query, @bind) = $sql->statement('journal.retry_delivery',
        as => $item->{owner}, id => $item->{hook}, event => $item->{entry});
    is(($first->selectrow_array($query, undef, @bind))[0], 202,
       'the owner sends it again');
});
is(state_of($outcome), 'already-replayed', 'which the admin is told');

# a webhook that is removed while an event is put on its way to it
$hook = $sql->webhook($kofi);
my $other = $sql->webhook($kofi);
happen($kofi);
$first->begin_work;
$first->do('SELECT FROM journal.webhook WHERE id = ? FOR UPDATE', undef,
           $hook);
$outcome = meanwhile(['SELECT journal.fan_out_webhooks(1000) AS status'],
    sub { $first->do('SELECT journal.drop_webhook(?)', undef, $hook) });
cmp_ok(state_of($outcome), '>', 0, 'the event passes');
is(jobs_of($hook), 0, 'by the one that is gone');
is(jobs_of($other), 1, 'to the one that is not');

# what a consumer gave up is nothing to begin anew when it was erased
my $gone = $sql->register('gone');
$sql->value(q{SELECT journal.subscribe('test', 'test.given_up')});
my $entry = $sql->value(
    q{SELECT journal.append('test.given_up', ?, '{}')}, $gone);
$sql->value(q{SELECT journal.failed('test', ?, 'x')}, $entry) for 1 .. 3;
is($sql->value('SELECT count(*) FROM journal.dead_letter WHERE entry = ?',
               $entry), 1, 'there is a letter');
$sql->value('SELECT journal.erase_person(?, NULL)', $gone);
is($sql->value('SELECT count(*) FROM journal.dead_letter WHERE entry = ?',
               $entry), 0, 'it goes with what it is about');

done_testing();

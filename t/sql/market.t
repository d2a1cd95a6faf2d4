# Jobs and contracts: who may do what in which state, and where the money is
# after each step.

use strict;
use warnings;

use Test::More;
use JSON::PP qw(encode_json);

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my ($ama, $kofi, $esi) = map { $sql->register($_) } qw(ama kofi esi);
my %job = (title => 'Photograph a shop', description => 'Ten pictures.',
           currency => 'USD', budget => '20', skills => '["photo","travel"]');

sub money { map { $sql->balance($_, 'USD') } @_ }

sub house { $sql->value("SELECT sum(balance) FROM ledger.account
                         WHERE kind = ? AND currency = 'USD'", $_[0]) }

sub entries {
    $sql->value('SELECT count(*) FROM journal.entry WHERE type = ?', $_[0]);
}


# jobs
my $r = $sql->call('market.post_job', as => $kofi, %job);
is($r->{status}, 201, 'a job is posted');
is($r->{body}{budget}, '20.00', 'with its budget');
my $job = $r->{body}{id};
is($r->{location}, "/v1/jobs/$job", 'and its location');
for (
    [{ currency => 'XXX' }, 'unknown-currency', '/currency'],
    [{ budget => '1.001' }, 'too-many-decimals', '/budget'],
    [{ budget => '0' }, 'amount-out-of-range', '/budget'],
    [{ skills => '[1]' }, 'invalid-skills', '/skills'],
    [{ skills => encode_json([('x') x 21]) }, 'invalid-skills', '/skills'],
) {
    my $r = $sql->call('market.post_job', as => $kofi, %job, %{$_->[0]});
    is_deeply([@$r{qw(status problem pointer)}], [422, @$_[1, 2]], $_->[1]);
}
$sql->call('market.post_job', as => $kofi, %job, title => "Job $_")
    for 1 .. 3;
my (@titles, $cursor);
do {
    my $page = $sql->call('market.list_jobs', limit => 2,
                          cursor => $cursor)->{body};
    push @titles, map { $_->{title} } @{$page->{items}};
    $cursor = $page->{next};
} while ($cursor);
is_deeply([@titles], ['Job 3', 'Job 2', 'Job 1', 'Photograph a shop'],
          'jobs are listed newest first, page by page');
is($sql->call('market.list_jobs', limit => 2, cursor => 'YWJj')->{problem},
   'invalid-cursor', 'made-up cursors are refused');
is($sql->call('market.get_job', id => $job)->{body}{description},
   'Ten pictures.', 'a job can be read');
is($sql->call('market.get_job', id => $esi)->{status}, 404, 'if it exists');

# applications
my %apply = (id => $job, message => 'I have a camera.');
is($sql->call('market.apply', as => $ama, %apply)->{status}, 201,
   'one can apply');
is(entries('job.applied'), 1, 'journaled');
is($sql->call('market.apply', as => $ama, %apply)->{problem},
   'already-applied', 'once');
is($sql->call('market.apply', as => $kofi, %apply)->{problem}, 'own-job',
   'not for one\'s own job');
is($sql->call('market.apply', as => $ama, %apply, id => $esi)->{status}, 404,
   'nor for none');
my %list = (id => $job, limit => undef, cursor => undef);
is($sql->call('market.list_applications', as => $kofi, %list)
   ->{body}{items}[0]{applicant}, $ama, 'the owner sees who applied');
is($sql->call('market.list_applications', as => $ama, %list)->{status}, 404,
   'nobody else does');

# a contract
my %offer = (freelancer => 'ama@example.org', title => 'Shop pictures',
             currency => 'USD', job => $job,
             milestones => encode_json([{ title => 'First', amount => '10' },
                                        { title => 'Rest', amount => '0.33' },
                                        { title => 'More', amount => '5' }]));
for (
    [{ freelancer => 'x@example.org' }, 'unknown-recipient', '/freelancer'],
    [{ freelancer => $kofi }, 'same-account', '/freelancer'],
    [{ job => $esi }, 'unknown-job', '/job'],
    [{ milestones => '[]' }, 'invalid-milestones', '/milestones'],
    [{ milestones => '[{"title":"a","amount":"1"},
                       {"title":"b","amount":"0.001"}]' },
     'too-many-decimals', '/milestones/1/amount'],
) {
    my $r = $sql->call('market.offer_contract', as => $kofi, %offer,
                       %{$_->[0]});
    is_deeply([@$r{qw(status problem pointer)}], [422, @$_[1, 2]], $_->[1]);
}
$r = $sql->call('market.offer_contract', as => $kofi, %offer);
is($r->{status}, 201, 'a contract is offered');
my $contract = $r->{body}{id};
my ($first, $rest, $more) = map { $_->{id} } @{$r->{body}{milestones}};
is($r->{body}{fee_bps}, 1500, 'its commission is fixed');


sub contract { $sql->call('market.get_contract', as => $_[0] // $ama,
                          id => $contract) }

sub step {
    my ($function, $who, $id, %more) = @_;
    my $r = $sql->call("market.$function", as => $who, id => $id, %more);
    return $r->{problem} ? "$r->{status} $r->{problem}" : $r->{body}{state};
}


# A contract of one milestone that is funded and handed in, and that
sub submitted {
    my $id = $sql->call('market.offer_contract', as => $kofi, %offer,
        job => undef, milestones => '[{"title":"a","amount":"1"}]')
        ->{body}{id};
    step('accept_contract', $ama, $id);
    my $m = $sql->value('SELECT id FROM market.milestone WHERE contract = ?',
                        $id);
    step('fund_milestone', $kofi, $m);
    step('submit_milestone', $ama, $m, note => undef);
    return ($id, $m);
}


is(contract($esi)->{status}, 404, 'strangers do not see it');
is(contract()->{body}{state}, 'draft', 'it is a draft');
is(step('fund_milestone', $kofi, $first), '409 wrong-state',
   'a draft cannot be funded');
is(step('accept_contract', $kofi, $contract), '403 wrong-party',
   'the employer cannot accept it');
is(step('accept_contract', $esi, $contract), '404 not-found',
   'nor can a stranger');
is(step('accept_contract', $ama, $contract), 'agreed',
   'the freelancer can');
is(step('accept_contract', $ama, $contract), '409 wrong-state', 'once');

# escrow
is(step('fund_milestone', $kofi, $first), '409 insufficient-funds',
   'escrow needs money');
is(contract()->{body}{state}, 'agreed', 'and nothing has moved');
$sql->issue($kofi, 'USD', 20_00);
is(step('fund_milestone', $ama, $first), '403 wrong-party',
   'the freelancer does not fund');
is(step('fund_milestone', $esi, $first), '404 not-found', 'nor a stranger');
is(step('submit_milestone', $ama, $first, note => undef), '409 wrong-state',
   'work begins when it is funded');
is(step('fund_milestone', $kofi, $first), 'funded', 'the employer funds');
is(step('fund_milestone', $kofi, $first), '409 wrong-state', 'once');
is(contract()->{body}{state}, 'active', 'the contract is active');
is_deeply([money($kofi, $ama), house('escrow')], [10_00, 0, 10_00],
          'the money is in escrow');

# work, changes, release
is(step('release_milestone', $kofi, $first), '409 wrong-state',
   'nothing to release yet');
is(step('submit_milestone', $kofi, $first, note => 'x'), '403 wrong-party',
   'the freelancer hands in');
is(step('submit_milestone', $ama, $first, note => 'Here.'), 'submitted',
   'and does');
ok($sql->value('SELECT review_until - now() BETWEEN \'13 days 23 hours\'
                AND \'14 days\' FROM market.milestone WHERE id = ?', $first),
   'the review ends in 14 days');
is(step('request_changes', $ama, $first, note => 'x'), '403 wrong-party',
   'the employer asks for changes');
is(step('request_changes', $kofi, $first, note => 'Brighter.'),
   'changes_requested', 'and does');
is($sql->value('SELECT review_until FROM market.milestone WHERE id = ?',
               $first), undef, 'which stops the clock');
is(step('release_milestone', $kofi, $first), '409 wrong-state',
   'and the release');
is(step('submit_milestone', $ama, $first, note => undef), 'submitted',
   'the work is handed in again');
is(step('release_milestone', $ama, $first), '403 wrong-party',
   'the freelancer does not pay herself');
is(step('release_milestone', $kofi, $first), 'released',
   'the employer releases');
is(step('release_milestone', $kofi, $first), '409 wrong-state', 'once');
is(step('refund_milestone', $ama, $first), '409 wrong-state',
   'and nothing is left to refund');
is_deeply([money($kofi, $ama), house('escrow'), house('marketplace')],
          [10_00, 8_50, 0, 1_50], '85 percent, and 15 to the marketplace');

# the fee is rounded down: 15 percent of 0.33 are 0.04
step('fund_milestone', $kofi, $rest);
step('submit_milestone', $ama, $rest, note => undef);
is(step('release_milestone', $kofi, $rest), 'released', 'a small one');
is_deeply([money($kofi, $ama), house('marketplace')], [9_67, 8_79, 1_54],
          'makes 0.29 and 0.04');

# refund
step('fund_milestone', $kofi, $more);
is(step('refund_milestone', $kofi, $more), '403 wrong-party',
   'the employer cannot take it back');
is(step('refund_milestone', $ama, $more), 'refunded',
   'the freelancer gives it back');
is(step('refund_milestone', $ama, $more), '409 wrong-state', 'once');
is_deeply([money($kofi, $ama), house('escrow'), house('marketplace')],
          [9_67, 8_79, 0, 1_54], 'whole');
is(contract()->{body}{state}, 'completed', 'the contract is completed');

is($sql->value('SELECT count(*) FROM market.milestone
                WHERE ended_at IS NOT NULL
                  AND released + refunded + fee <> amount_minor'), 0,
   'released + refunded + fee = funded');
is_deeply($sql->rows('SELECT to_state FROM market.milestone_event
                      WHERE milestone = ? ORDER BY number', $first),
          [map { [$_] } qw(funded submitted changes_requested submitted
                           approved released)], 'each step is kept');
is(entries("milestone.$_->[0]"), $_->[1], "$_->[1] x $_->[0] journaled")
    for ['funded', 3], ['submitted', 3], ['released', 2], ['refunded', 1];

# a race: two releases, or a release and a refund, move the money once
my ($id, $m) = submitted();
my @before = money($kofi, $ama);
my $one = $sql->connect(role => 'azora_app');
$one->begin_work;
$sql->call('market.release_milestone', as => $kofi, id => $m, on => $one);
my @racers = map { $sql->start($sql->statement(@$_)) }
    ['market.release_milestone', as => $kofi, id => $m],
    ['market.refund_milestone', as => $ama, id => $m];
$sql->wait_for_lock($_) for @racers;
$one->commit;
is_deeply([map { $sql->finish($_)->{message} } @racers],
          [('wrong-state') x 2], 'the later ones come too late');
is_deeply([money($kofi, $ama)], [$before[0], $before[1] + 85],
          'the money moved once');

my $page = $sql->call('market.list_contracts', as => $ama, limit => 1,
                      cursor => undef)->{body};
is($page->{items}[0]{id}, $id, 'contracts are listed newest first');
$page = $sql->call('market.list_contracts', as => $ama, limit => 1,
                   cursor => $page->{next})->{body};
is($page->{items}[0]{id}, $contract, 'to both sides');
is($page->{next}, undef, 'to the end');
is_deeply($sql->call('market.list_contracts', as => $esi, limit => undef,
                     cursor => undef)->{body}{items}, [], 'of their own');

# silence is approval, when its time has come
sub end_reviews {
    return $sql->app->selectrow_array('SELECT market.end_reviews(1)');
}

sub is_over {
    $sql->{dbh}->do("UPDATE market.milestone SET review_until = now()
                     - interval '1 second' WHERE id = ?", undef, $_[0]);
}

sub milestone_state {
    return $sql->value('SELECT state FROM market.milestone WHERE id = ?',
                       $_[0]);
}

my ($silent, $answered) = map { (submitted())[1] } 1 .. 2;
@before = (money($kofi, $ama), house('marketplace'));
is(end_reviews(), 0, 'before its time nothing is released');
is_over($_) for $silent, $answered;
is(step('request_changes', $kofi, $answered, note => 'Brighter.'),
   'changes_requested', 'an answer counts until somebody looks');
is(end_reviews(), 1, 'one is over');
is_deeply([map { milestone_state($_) } $silent, $answered],
          ['released', 'changes_requested'], 'and that is released');
is_deeply([money($kofi, $ama), house('marketplace')],
          [$before[0], $before[1] + 85, $before[2] + 15],
          'as if the employer had done it');
is_deeply($sql->rows('SELECT e.actor, e.note FROM market.milestone_event AS e
                      WHERE e.milestone = ? AND e.to_state = ?', $silent,
                     'approved'),
          [[$kofi, 'The time of the review was over.']],
          'in whose place it is');
is($sql->value("SELECT count(*) FROM journal.payload
                WHERE subject = ? AND body ->> 'milestone' = ?", $kofi,
               $silent), 2, 'who hears of it, as of the funding');
is(end_reviews(), 0, 'once');

is(step('submit_milestone', $ama, $answered, note => undef), 'submitted',
   'what was sent back is submitted again');
is(end_reviews(), 0, 'with a time of its own');

# one that cannot be paid out keeps nobody waiting
is_over($answered);
$sql->{dbh}->do("UPDATE ledger.account SET frozen = true
                 WHERE owner = ? AND currency = 'USD'", undef, $ama);
my $warned = '';
{
    local $SIG{__WARN__} = sub { $warned .= $_[0] };
    is(end_reviews(), 1, 'her wallet is frozen');
}
like($warned, qr/milestone \Q$answered\E could not be released/, 'is told');
is(milestone_state($answered), 'submitted', 'nothing has moved');
ok($sql->value("SELECT review_until BETWEEN now() + interval '59 minutes'
                AND now() + interval '1 hour' FROM market.milestone
                WHERE id = ?", $answered), 'it is tried again in an hour');
is(end_reviews(), 0, 'and not before');
$sql->{dbh}->do("UPDATE ledger.account SET frozen = false WHERE owner = ?",
                undef, $ama);

# who is being answered at this moment waits for nobody and is not overtaken
is_over($answered);
$one->begin_work;
$sql->call('market.request_changes', as => $kofi, id => $answered,
           note => 'Brighter.', on => $one);
is(end_reviews(), 0, 'an answer under way is left alone');
$one->commit;
is(end_reviews(), 0, 'and counts');
is(step('submit_milestone', $ama, $answered, note => undef), 'submitted',
   'until it is submitted');
is_over($answered);
is(end_reviews(), 1, 'and time passes');
is(milestone_state($answered), 'released', 'without an answer');

# whoever goes while a milestone is being paid for stays until it is over
$id = $sql->call('market.offer_contract', as => $kofi, %offer, job => undef,
                 milestones => '[{"title":"a","amount":"1"}]')->{body}{id};
step('accept_contract', $ama, $id);
$m = $sql->value('SELECT id FROM market.milestone WHERE contract = ?', $id);
$one->begin_work;
$sql->call('market.fund_milestone', as => $kofi, id => $m, on => $one);
my $going = $sql->start({ role => 'azora_owner' },
                        'SELECT market.erase_person(?)', $ama);
ok($sql->wait_for_lock($going), 'who is to be forgotten waits');
$one->commit;
is($sql->finish($going)->{message}, 'contract-open', 'and is refused');
is($sql->value('SELECT state FROM market.contract WHERE id = ?', $id),
   'active', 'the contract goes on');
is(step('refund_milestone', $ama, $m), 'refunded', 'to its end');

# what the other side never pays for keeps nobody: no money lies anywhere
sub erase { $sql->value('SELECT market.erase_person(?)', $_[0]) }
my %kept = map { $_ => $sql->register($_) } qw(done given begun);
for my $case ([done => 'release_milestone', $kofi, 'completed'],
              [given => 'refund_milestone', $kept{given}, 'cancelled'],
              [begun => undef, undef, 'cancelled'])
{
    my ($name, $end, $by, $becomes) = @$case;
    my $id = $sql->call('market.offer_contract', as => $kofi, %offer,
        job => undef, freelancer => $kept{$name},
        milestones => '[{"title":"a","amount":"1"},
                        {"title":"b","amount":"1"}]')->{body}{id};
    step('accept_contract', $kept{$name}, $id);

    if ($end) {
        my $m = $sql->value('SELECT id FROM market.milestone
            WHERE contract = ? AND number = 1', $id);
        step('fund_milestone', $kofi, $m);
        step('submit_milestone', $kept{$name}, $m, note => undef);
        ok(!eval { erase($kept{$name}) }, 'nobody goes who is owed');
        like($@, qr/contract-open/, 'and is told why');
        step($end, $by, $m);
    }

    ok(eval { erase($kept{$name}); 1 }, 'who is owed nothing goes') or diag $@;
    is($sql->value('SELECT state FROM market.contract WHERE id = ?', $id),
       $becomes, "the contract is $becomes");
    is($sql->value("SELECT count(*) FROM journal.payload AS p
                        JOIN journal.entry AS e ON e.id = p.entry
                    WHERE p.subject = ? AND e.type = 'contract.$becomes'
                      AND p.body ->> 'contract' = ?", $kofi, $id), 1,
       'which the other side is told');
    is($sql->call('market.fund_milestone', as => $kofi, id => $sql->value(
           'SELECT id FROM market.milestone
            WHERE contract = ? AND number = 2', $id))->{problem},
       'wrong-state', 'and pays for nothing any more');
}

is_deeply($sql->errors_in_books, [], 'the books are right');

done_testing();

#!/usr/bin/env perl

# A job, an application, a contract, and its money in escrow: every coin is
# somewhere at every step, and only the right person moves it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Process qw(poll_until);
use Azora::Story qw(at_once balance documented fund is_problem is_sound
                    journaled);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 2);
my $employer = $azora->user('erica');
my $freelancer = $azora->user('farid');
my $stranger = $azora->user('sadio');
my @employer = (token => $employer->{token});
my @freelancer = (token => $freelancer->{token});
my @stranger = (token => $stranger->{token});
my $r;

my $keys = 0;
sub fresh { return (key => 'key-' . ++$keys) }

# Minor units that all accounts of a kind hold.
sub held {
    return $azora->value(q{SELECT coalesce(sum(balance), 0)
                           FROM ledger.account
                           WHERE kind = ? AND currency = 'AZR'}, $_[0]);
}

# Where the money is: employer, escrow, freelancer, marketplace, in AZR cents.
sub money_is {
    my ($expected, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply [map { $_ / 1_000_000 } balance($azora, $employer, 'AZR'),
               held('escrow'), balance($azora, $freelancer, 'AZR'),
               held('marketplace')], $expected, $name;
    is_sound($azora);
}

sub state_is {
    my ($contract, $expected) = @_;
    my $json = $azora->get("/v1/contracts/$contract", @employer)->{json};

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply [$json->{state}, map { $_->{state} } @{ $json->{milestones} }],
              $expected, "states: @$expected";
}

fund($azora, $employer, 'AZR', 100_00_000_000);


my $job;

subtest 'a job is offered and found' => sub {
    my %body = (title => 'Draw a map', description => 'Of our ten wells.',
                currency => 'AZR', budget => '30', skills => ['drawing']);

    is_problem($azora->post('/v1/jobs', json => \%body), 401,
               'authentication-required');
    is_problem($azora->post('/v1/jobs', @employer, json => {
        %body, title => '', budget => 'much', colour => 'red' }),
        422, 'validation-failed', '/title', '/budget', '/colour');

    $r = $azora->post('/v1/jobs', @employer, fresh(), json => \%body);
    is $r->{status}, 201, 'offered';
    documented($azora, $r, 'POST /v1/jobs');
    $job = $r->{json}{id};
    is $r->{headers}{location}, "/v1/jobs/$job", 'where it is';

    $r = $azora->get('/v1/jobs');
    documented($azora, $r, 'GET /v1/jobs');
    is_deeply [map { $_->{id} } @{ $r->{json}{items} }], [$job], 'listed';

    $r = $azora->get("/v1/jobs/$job");
    documented($azora, $r, 'GET /v1/jobs/{id}');
    is $r->{json}{budget}, '30.00000000', 'shown';
    is_problem($azora->get('/v1/jobs/' . $employer->{id}), 404, 'not-found');

    is_problem($azora->post('/v1/jobs', @employer,
                            json => { %body, budget => '0.000000001' }),
               422, 'too-many-decimals', '/budget');
    is_problem($azora->post('/v1/jobs', @employer,
                            json => { %body, currency => 'XXX' }),
               422, 'unknown-currency', '/currency');
    is $azora->value('SELECT count(*) FROM market.job'), 1, 'one job';
    is journaled($azora, 'job.posted'), 1, 'journaled';
};


subtest 'applications are between the applicant and the owner' => sub {
    my $path = "/v1/jobs/$job/applications";

    $r = $azora->post($path, @freelancer, fresh(),
                      json => { message => 'I know these wells.' });
    is $r->{status}, 201, 'applied';
    documented($azora, $r, 'POST /v1/jobs/{id}/applications');

    is_problem($azora->post($path, @freelancer,
                            json => { message => 'Again!' }), 409,
               'already-applied');
    is_problem($azora->post($path, @employer, json => { message => 'Me?' }),
               409, 'own-job');

    $r = $azora->get($path, @employer);
    documented($azora, $r, 'GET /v1/jobs/{id}/applications');
    is_deeply [map { $_->{applicant} } @{ $r->{json}{items} }],
              [$freelancer->{id}], 'the owner sees who applied';

    for my $who (\@freelancer, \@stranger) {
        is_problem($azora->get($path, @$who), 404, 'not-found');
    }
    is_problem($azora->get($path), 401, 'authentication-required');
};


my ($contract, @milestones);

subtest 'a contract is offered and agreed' => sub {
    my %body = (freelancer => 'farid@example.org', title => 'The map',
                currency => 'AZR', job => $job, milestones => [
                    { title => 'A sketch', amount => '10' },
                    { title => 'The map', amount => '20.00000001' },
                    { title => 'A frame', amount => '5' },
                ]);

    is_problem($azora->post('/v1/contracts', @employer, json => {
        %body, milestones => [] }), 422, 'validation-failed', '/milestones');
    is_problem($azora->post('/v1/contracts', @employer, json => {
        %body, milestones => [{ title => 'A', amount => '1' },
                              { title => '', amount => 1 }] }),
        422, 'validation-failed', '/milestones/1/title',
        '/milestones/1/amount');
    is_problem($azora->post('/v1/contracts', @employer, json => {
        %body, freelancer => 'erica@example.org' }), 422, 'same-account',
        '/freelancer');
    is_problem($azora->post('/v1/contracts', @employer, json => {
        %body, freelancer => 'nobody@example.org' }), 422,
        'unknown-recipient', '/freelancer');
    is_problem($azora->post('/v1/contracts', @stranger, json => \%body), 422,
               'unknown-job', '/job');

    $r = $azora->post('/v1/contracts', @employer, fresh(), json => \%body);
    is $r->{status}, 201, 'offered';
    documented($azora, $r, 'POST /v1/contracts');
    is $r->{json}{fee_bps}, 1500, 'with the commission fixed';
    $contract = $r->{json}{id};
    @milestones = map { $_->{id} } @{ $r->{json}{milestones} };

    for my $who (\@employer, \@freelancer) {
        $r = $azora->get("/v1/contracts/$contract", @$who);
        documented($azora, $r, 'GET /v1/contracts/{id}');
        $r = $azora->get('/v1/contracts', @$who);
        documented($azora, $r, 'GET /v1/contracts');
        is scalar @{ $r->{json}{items} }, 1, 'both parties have it';
    }

    is_problem($azora->get("/v1/contracts/$contract", @stranger), 404,
               'not-found');
    is_deeply $azora->get('/v1/contracts', @stranger)->{json}{items}, [],
              'others do not';

    is_problem($azora->post("/v1/milestones/$milestones[0]/funding",
                            @employer, fresh()), 409, 'wrong-state');
    is_problem($azora->post("/v1/contracts/$contract/acceptance", @stranger),
               404, 'not-found');
    is_problem($azora->post("/v1/contracts/$contract/acceptance", @employer),
               403, 'wrong-party');

    $r = $azora->post("/v1/contracts/$contract/acceptance", @freelancer);
    is $r->{status}, 200, 'agreed';
    documented($azora, $r, 'POST /v1/contracts/{id}/acceptance');
    is_problem($azora->post("/v1/contracts/$contract/acceptance",
                            @freelancer), 409, 'wrong-state');
    state_is($contract, [qw(agreed pending pending pending)]);
    money_is([10000, 0, 0, 0], 'no money moved so far');
};


subtest 'the money goes into escrow before the work' => sub {
    my $path = "/v1/milestones/$milestones[0]/funding";

    is_problem($azora->post($path, @employer), 400,
               'idempotency-key-required');
    is_problem($azora->post($path, @freelancer, fresh()), 403,
               'wrong-party');
    is_problem($azora->post($path, @stranger, fresh()), 404, 'not-found');
    is_problem($azora->post("/v1/milestones/$milestones[0]/submission",
                            @freelancer, json => {}), 409, 'wrong-state');

    my @key = fresh();
    my @answers = at_once($azora, map { ['POST', $path, @employer, @key] }
                                      1 .. 10);
    my %bodies = map { ("$_->{status} $_->{body}" => 1) } @answers;
    is keys %bodies, 1, 'ten at once with one key have one answer';
    is $answers[0]{status}, 200, 'a good one';
    documented($azora, $answers[0], 'POST /v1/milestones/{id}/funding');
    money_is([9000, 1000, 0, 0], 'and one effect');

    is_problem($azora->post($path, @employer, fresh()), 409, 'wrong-state');
    state_is($contract, [qw(active funded pending pending)]);
};


subtest 'delivery, changes, delivery' => sub {
    my $path = "/v1/milestones/$milestones[0]";

    for my $who (\@employer, \@stranger) {
        my $known = $who == \@employer;
        is_problem($azora->post("$path/submission", @$who, json => {}),
                   $known ? (403, 'wrong-party') : (404, 'not-found'));
    }

    $r = $azora->post("$path/submission", @freelancer,
                      json => { note => 'Here it is.' });
    is $r->{status}, 200, 'delivered';
    documented($azora, $r, 'POST /v1/milestones/{id}/submission');
    ok $r->{json}{review_until}, 'the review has its time';

    is_problem($azora->post("$path/changes", @employer, json => {}), 422,
               'validation-failed', '/note');
    is_problem($azora->post("$path/changes", @freelancer,
                            json => { note => 'x' }), 403, 'wrong-party');
    $r = $azora->post("$path/changes", @employer,
                      json => { note => 'One well is missing.' });
    is $r->{status}, 200, 'changes asked for';
    documented($azora, $r, 'POST /v1/milestones/{id}/changes');
    ok !$r->{json}{review_until}, 'the clock stands';

    is_problem($azora->post("$path/release", @employer, fresh()), 409,
               'wrong-state');
    is $azora->post("$path/submission", @freelancer, json => {})->{status},
       200, 'delivered again';
    money_is([9000, 1000, 0, 0], 'the money waits all the while');
};


subtest 'release pays the freelancer, less the commission' => sub {
    my $path = "/v1/milestones/$milestones[0]/release";

    is_problem($azora->post($path, @freelancer, fresh()), 403,
               'wrong-party');
    is_problem($azora->post($path, @stranger, fresh()), 404, 'not-found');
    is_problem($azora->post($path, @employer), 400,
               'idempotency-key-required');

    my @answers = at_once($azora, map { ['POST', $path, @employer, fresh()] }
                                      1 .. 10);
    my @paid = grep { $_->{status} == 200 } @answers;
    is scalar @paid, 1, 'of ten at once with keys of their own one pays';
    is scalar(grep { $_->{status} == 409 } @answers), 9, 'nine come too late';
    documented($azora, $paid[0], 'POST /v1/milestones/{id}/release');
    money_is([9000, 0, 850, 150], '85% and 15%');
    state_is($contract, [qw(active released pending pending)]);
};


subtest 'an amount that no percentage divides' => sub {
    my $path = "/v1/milestones/$milestones[1]";

    $azora->post("$path/funding", @employer, fresh());
    $azora->post("$path/submission", @freelancer, json => {});
    $r = $azora->post("$path/release", @employer, fresh());
    is $r->{status}, 200, 'released';

    my ($row) = $azora->sql(q{SELECT amount_minor, released, refunded, fee
                              FROM market.milestone WHERE id = ?},
                            $milestones[1]);
    is $row->{released} + $row->{refunded} + $row->{fee},
       $row->{amount_minor}, 'released + refunded + fee = funded';
    is $row->{fee}, 300_000_000, 'the commission is rounded down';
    is held('escrow'), 0, 'nothing stays in escrow';
    is balance($azora, $freelancer, 'AZR'), 2550_000_001,
       'the remainder is the freelancer\'s';
    is_sound($azora);
};


subtest 'a refund gives all of it back' => sub {
    my $path = "/v1/milestones/$milestones[2]";
    my $before = balance($azora, $employer, 'AZR');

    $azora->post("$path/funding", @employer, fresh());
    is held('escrow'), 500_000_000, 'funded';

    is_problem($azora->post("$path/refund", @employer, fresh()), 403,
               'wrong-party');
    is_problem($azora->post("$path/refund", @freelancer), 400,
               'idempotency-key-required');

    my @key = fresh();
    $r = $azora->post("$path/refund", @freelancer, @key);
    is $r->{status}, 200, 'given back';
    documented($azora, $r, 'POST /v1/milestones/{id}/refund');

    is $azora->post("$path/refund", @freelancer, @key)->{body}, $r->{body},
       'a repeat gets the same answer';
    is_problem($azora->post("$path/refund", @freelancer, fresh()), 409,
               'wrong-state');

    is balance($azora, $employer, 'AZR'), $before, 'all of it';
    is held('marketplace'), 450_000_000, 'without a commission';
    is held('escrow'), 0, 'and nothing stays';
    state_is($contract, [qw(completed released released refunded)]);
    is_sound($azora);
};


subtest 'silence is approval' => sub {
    my $r = $azora->post('/v1/contracts', @employer, fresh(), json => {
        freelancer => 'farid@example.org', title => 'One more',
        currency => 'AZR',
        milestones => [{ title => 'All of it', amount => '1' }] });
    my ($contract, $milestone) = ($r->{json}{id},
                                  $r->{json}{milestones}[0]{id});
    my $before = balance($azora, $freelancer, 'AZR');

    $azora->post("/v1/contracts/$contract/acceptance", @freelancer);
    $azora->post("/v1/milestones/$milestone/funding", @employer, fresh());
    $azora->post("/v1/milestones/$milestone/submission", @freelancer,
                 json => {});
    state_is($contract, [qw(active submitted)]);

    $azora->sql('UPDATE market.milestone SET review_until = now()
                 WHERE id = ?', $milestone);
    ok poll_until(20 * $azora->patience, sub {
        $azora->value('SELECT state FROM market.milestone WHERE id = ?',
                      $milestone) eq 'released' }), 'a task releases it';
    state_is($contract, [qw(completed released)]);
    is balance($azora, $freelancer, 'AZR') - $before, 85_000_000,
       'and the freelancer is paid';
    is_sound($azora);
};


subtest 'what every step left behind' => sub {
    my %n = map { $_->{type} => $_->{n} } $azora->sql(
        q{SELECT type, count(*) AS n FROM journal.entry GROUP BY type});

    is_deeply [map { $n{"milestone.$_"} } qw(funded submitted
                                             changes_requested released
                                             refunded)],
              [4, 4, 1, 3, 1], 'each step is journaled once';
    is $azora->value(q{SELECT count(*) FROM market.milestone_event
                       WHERE milestone = ?}, $milestones[0]), 6,
       'each change of state is kept';
};


subtest 'an empty wallet funds nothing' => sub {
    my $r = $azora->post('/v1/contracts', @stranger, fresh(), json => {
        freelancer => $freelancer->{id}, title => 'Dream', currency => 'AZR',
        milestones => [{ title => 'All', amount => '1' }] });
    my ($id, $milestone) = ($r->{json}{id}, $r->{json}{milestones}[0]{id});

    $azora->post("/v1/contracts/$id/acceptance", @freelancer);
    is_problem($azora->post("/v1/milestones/$milestone/funding", @stranger,
                            fresh()), 409, 'insufficient-funds');
    is $azora->get("/v1/contracts/$id", @stranger)->{json}{state}, 'agreed',
       'the contract did not become active';
    is $azora->value(q{SELECT count(*) FROM ledger.account
                       WHERE reference = ?}, $milestone), 0,
       'no escrow account was left behind';
    is_sound($azora);
};

done_testing;

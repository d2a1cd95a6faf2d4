#!/usr/bin/env perl

# Rules come into force everywhere at once and without a reload; a rule set
# that is broken does not, and before the first one nothing passes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::HTTP;
use Azora::Process qw(poll_until);
use Azora::Story qw(is_problem);
use Azora::Test;
use Test::More;
use Time::HiRes qw(sleep);

my $azora = Azora::Test->start(workers => 2, server => <<'CONF');
    location = /shadow/v1/jobs {
        azora_constitution shadow;
        azora_auth optional;
        rewrite ^/shadow(/.*)$ $1 break;
        azora_api on;
    }
CONF
my $erica = $azora->user('erica');
my %good = (title => 'Work', currency => 'AZR', budget => '20');

sub offer {
    my ($description, %opts) = @_;
    return $azora->post($opts{path} || '/v1/jobs', token => $erica->{token},
                        json => { %good, description => $description }, %opts);
}

# A rule that is enacted at once.
sub enact {
    my ($id, %rule) = @_;

    $azora->sql(q{
        INSERT INTO court.rule (id, article, state, shadow, effect, routes,
                                pointers, pattern, reason, examples)
        SELECT ?, min(number), 'enacted', ?, ?, '{"POST /v1/jobs"}',
               '{/title,/description}', ?, 'It is a test.', ?
        FROM court.article},
        $id, $rule{shadow} ? 't' : 'f', $rule{effect} || 'deny',
        $rule{pattern}, sprintf '{"match": ["%s"], "no_match": ["%s"]}',
        $rule{match}, $rule{no_match} || 'nothing');
    $azora->sql(q{SELECT azora.bump('constitution')});
}

sub repeal {
    my ($id) = @_;
    $azora->sql(q{UPDATE court.rule SET state = 'repealed' WHERE id = ?}, $id);
    $azora->sql(q{SELECT azora.bump('constitution')});
}

# Both workers answer so, ten times in a row.
sub everywhere {
    my ($status, $text) = @_;

    return poll_until(10 * $azora->patience, sub {
        for (1 .. 40) {
            return 0 if offer($text)->{status} != $status;
        }
        return 1;
    });
}

sub decisions {
    return $azora->value('SELECT count(*) FROM court.decision');
}


subtest 'a rule is enacted, and repealed' => sub {
    my $pids = join ' ', sort $azora->worker_pids;
    my $text = 'We need a zorgle.';

    is offer($text)->{status}, 201, 'before';

    enact('no-zorgles', pattern => '(?i)\bzorgles?\b', match => 'Zorgle');
    ok everywhere(403, $text), 'in force in every worker';
    my $r = offer($text);
    is $r->{json}{constitution},
       $azora->get('/v1/constitution')->{json}{hash}, 'under a new hash';

    repeal('no-zorgles');
    ok everywhere(201, $text), 'and out of force';
    is join(' ', sort $azora->worker_pids), $pids, 'by the same workers';
};


subtest 'a broken rule set is refused, and the old one stays' => sub {
    my %broken = (
        'no-pattern' => [pattern => '(zorgle', match => 'zorgle'],
        'no-match' => [pattern => 'zorgle', match => 'something else'],
        'too-eager' => [pattern => 'z', match => 'zorgle',
                        no_match => 'a maze'],
        'explodes' => [pattern => '^(?:a+)+$', match => 'aa',
                       no_match => 'a' x 60 . 'b'],
    );

    for my $id (sort keys %broken) {
        my $mark = $azora->mark;
        enact($id, @{ $broken{$id} });

        ok $azora->wait_log(qr/are refused: rule "$id": .*stay in force/,
                            $mark), "$id: the reason is in the log";
        is offer('Applicants must pay a training fee.')->{status}, 403,
           'the rules before are in force';
        is offer('A zorgle.')->{status}, 201, 'and no other';
        is $azora->get('/readyz')->{status}, 200, 'ready as before';

        repeal($id);
    }

    ok poll_until(10 * $azora->patience, sub {
        $azora->get('/metrics')->{body}
            =~ /^azora_constitution_loads_total\{result="refused"\} [1-9]/m;
    }), 'counted';
};


subtest 'a rule in shadow decides and has no effect' => sub {
    my $before = decisions();

    enact('ghost', pattern => 'ghostly', match => 'ghostly', shadow => 1);
    ok poll_until(10 * $azora->patience, sub {
        offer('A ghostly job.')->{status} == 201 && decisions() > $before;
    }), 'the request passes, the decision is kept';

    my ($row) = $azora->sql(q{SELECT effect, rules FROM court.decision
                              ORDER BY id DESC LIMIT 1});
    is_deeply $row, { effect => 'allow', rules => '["ghost"]' },
              'as what it was';

    my $r = offer('A ghostly job. Applicants must pay a training fee.');
    is_problem($r, 403, 'constitution-denied', '/description');
    is $azora->value('SELECT rules FROM court.decision WHERE id = ?',
                     $r->{json}{decision}), '["applicant-fees", "ghost"]',
       'beside a rule that denies it is only named';
    repeal('ghost');
};


subtest 'a location in shadow' => sub {
    my $before = decisions();
    my $r = offer('Applicants must pay a training fee.',
                  path => '/shadow/v1/jobs');

    is $r->{status}, 201, 'what would be denied passes';
    is decisions(), $before + 1, 'its decision is kept';
    is $azora->value('SELECT effect FROM court.decision
                      ORDER BY id DESC LIMIT 1'), 'allow', 'as what it was';
    like $azora->get('/metrics')->{body},
         qr/decisions_total\{effect="shadow"\} [1-9]/, 'and counted apart';
};


subtest 'a text that would take too long is not let through' => sub {
    enact('slow', pattern => '^(?:q+)+$', match => 'qq');
    ok everywhere(403, 'qqqq'), 'a pattern that backtracks is in force';

    my $before = decisions();
    is_problem(offer('q' x 60 . 'x'), 422, 'constitution-undecided');
    is decisions(), $before, 'nothing was decided';
    is $azora->value(q{SELECT count(*) FROM market.job
                       WHERE description LIKE '%qx'}), 0, 'nothing was done';
    ok $azora->get('/metrics')->{body}
        =~ /decisions_total\{effect="undecided"\} [1-9]/, 'counted';
    repeal('slow');
    ok everywhere(201, 'qqqq'), 'repealed';
};


subtest 'a client that leaves while the decision is being kept' => sub {
    my $lock = $azora->dbh;
    my $before = decisions();

    $lock->begin_work;
    $lock->do('LOCK TABLE court.decision IN ACCESS EXCLUSIVE MODE');

    for (1 .. 3) {
        my $http = $azora->connect;
        $http->write(Azora::HTTP::format_request('POST', '/v1/jobs',
            token => $erica->{token}, json => {
                %good, description => 'Applicants must pay a training fee.' }));
        sleep 0.2;
        $http->reset;
    }

    $lock->rollback;
    ok poll_until(10 * $azora->patience, sub { decisions() > $before }),
       'it is kept nevertheless';
    is offer('Plain.')->{status}, 201, 'and the next one is served';
};


subtest 'a decision that cannot be kept' => sub {
    $azora->sql('ALTER TABLE court.decision RENAME TO elsewhere');

    my $mark = $azora->mark;
    my $r = offer('Applicants must pay a training fee.');
    is_problem($r, 403, 'constitution-denied', '/description');
    ok !exists $r->{json}{decision}, 'a denial is one without its record';
    ok $azora->wait_log(qr/a decision was not recorded/, $mark), 'logged';

    my $jobs = $azora->value('SELECT count(*) FROM market.job');
    is offer('Payment outside the platform, we save the fee.')->{status},
       500, 'but a flag is not passed over';
    is $azora->value('SELECT count(*) FROM market.job'), $jobs,
       'nothing was done';

    like $azora->get('/metrics')->{body},
         qr/^azora_constitution_unrecorded_total 2$/m, 'counted';
    $azora->sql('ALTER TABLE court.elsewhere RENAME TO decision');
};


subtest 'before the first rule set nothing passes' => sub {
    # workers that start now find a broken one
    enact('unreadable', pattern => '(', match => 'x');

    my %old = map { $_ => 1 } $azora->worker_pids;
    kill HUP => $azora->master_pid;
    ok poll_until(20 * $azora->patience, sub {
        my @now = $azora->worker_pids;
        @now == 2 && !grep { $old{$_} } @now;
    }), 'new workers';

    ok poll_until(10 * $azora->patience,
                  sub { $azora->get('/readyz')->{status} == 503 }),
       'they are not ready';
    my $r = offer('Plain.');
    is_problem($r, 503, 'constitution-unavailable');
    ok $r->{headers}{'retry-after'}, 'come again';
    is $azora->get('/v1/jobs')->{status}, 200,
       'what the constitution does not look at is served';

    repeal('unreadable');
    ok poll_until(30 * $azora->patience,
                  sub { $azora->get('/readyz')->{status} == 200 }),
       'ready when the rules are whole';
    ok everywhere(201, 'Plain.'), 'and serving';
    ok everywhere(403, 'Applicants must pay a training fee.'), 'and guarding';
};

done_testing;

#!/usr/bin/env perl

# A learner finds a course, finishes its lessons, passes its quiz, and is paid
# for it once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Process qw(poll_until);
use Azora::Story qw(at_once balance documented finish_course is_problem
                    is_sound journaled right_answers);
use Azora::Test;
use Test::More;

my $SLUG = 'mobile-money-safety';
my $azora = Azora::Test->start(workers => 2);
my $amina = $azora->user('amina');
my $baraka = $azora->user('baraka');
my @amina = (token => $amina->{token});
my $r;


subtest 'anybody reads the catalogue' => sub {
    $r = $azora->get('/v1/courses');
    is $r->{status}, 200, 'without a token';
    documented($azora, $r, 'GET /v1/courses');

    my @all = map { $_->{slug} } @{ $r->{json}{items} };
    is_deeply \@all, [sort @all], 'by slug';
    is scalar @all, $azora->value(q{SELECT count(*)
        FROM learning.course_version WHERE state = 'published'}), 'all of them';
    is $r->{json}{next}, undef, 'on one page';

    my (@walked, $cursor);
    for (0 .. @all) {
        $r = $azora->get('/v1/courses?limit=1'
                         . (defined $cursor ? "&cursor=$cursor" : ''));
        push @walked, map { $_->{slug} } @{ $r->{json}{items} };
        last if !defined($cursor = $r->{json}{next});
    }
    is_deeply \@walked, \@all, 'or page by page, without gap or repeat';

    is_problem($azora->get('/v1/courses?cursor=nonsense'), 400,
               'invalid-cursor');
};


subtest 'a course and its version' => sub {
    $r = $azora->get("/v1/courses/$SLUG");
    is $r->{status}, 200, 'without a token';
    documented($azora, $r, 'GET /v1/courses/{slug}');
    is $r->{json}{quiz}{reward}{amount}, '10.00000000', 'what the quiz pays';

    my $etag = $r->{headers}{etag};
    ok $etag, 'it has an entity tag';
    $r = $azora->get("/v1/courses/$SLUG",
                     headers => { 'If-None-Match' => $etag });
    is $r->{status}, 304, 'which saves reading it again';

    $azora->sql(q{SELECT azora.bump('catalogue')});
    ok poll_until(10 * $azora->patience, sub {
        $azora->get("/v1/courses/$SLUG",
                    headers => { 'If-None-Match' => $etag })->{status} == 200;
    }), 'until the catalogue changes';

    is_problem($azora->get('/v1/courses/no-such-course'), 404, 'not-found');
    is_problem($azora->get("/v1/courses/$SLUG/lessons/1"), 401,
               'authentication-required');
    is_problem($azora->get("/v1/courses/$SLUG/lessons/99", @amina), 404,
               'not-found');

    $r = $azora->get("/v1/courses/$SLUG/lessons/1", @amina);
    is $r->{status}, 200, 'a lesson is for people who are known';
    documented($azora, $r, 'GET /v1/courses/{slug}/lessons/{number}');
};


subtest 'enrolment, once' => sub {
    is_problem($azora->get("/v1/courses/$SLUG/enrolment", @amina), 404,
               'not-enrolled');
    is_problem($azora->put("/v1/courses/$SLUG/lessons/1/progress", @amina,
                           json => { done => \1 }), 409, 'not-enrolled');

    $r = $azora->post("/v1/courses/$SLUG/enrolment", @amina);
    is $r->{status}, 201, 'made';
    documented($azora, $r, 'POST /v1/courses/{slug}/enrolment');
    is $r->{headers}{location}, "/v1/courses/$SLUG/enrolment", 'where it is';
    my $since = $r->{json}{enrolled_at};

    $r = $azora->post("/v1/courses/$SLUG/enrolment", @amina);
    is $r->{status}, 200, 'again is no mistake';
    is $r->{json}{enrolled_at}, $since, 'and changes nothing';

    is $azora->value('SELECT count(*) FROM learning.enrolment'), 1, 'one row';
    is journaled($azora, 'course.enrolled'), 1, 'journaled once';
    is_problem($azora->post('/v1/courses/none/enrolment', @amina), 404,
               'not-found');
};


subtest 'progress' => sub {
    my $path = "/v1/courses/$SLUG/lessons/1/progress";

    is_problem($azora->put($path, @amina, json => {}), 422,
               'validation-failed', '/done');
    is_problem($azora->put($path, @amina, json => { done => 'yes' }), 422,
               'validation-failed', '/done');

    $r = $azora->put($path, @amina, json => { done => \1 });
    is $r->{status}, 200, 'a lesson is done';
    documented($azora, $r, 'PUT /v1/courses/{slug}/lessons/{number}/progress');
    is $r->{json}{progress}{done}, 1, 'and counted';

    $azora->put($path, @amina, json => { done => \1 });
    is journaled($azora, 'lesson.finished'), 1, 'twice is once';

    $r = $azora->put($path, @amina, json => { done => \0 });
    is $r->{json}{progress}{done}, 0, 'it can be taken back';

    $azora->put($path, @amina, json => { done => \1 });
    $r = $azora->get("/v1/courses/$SLUG/enrolment", @amina);
    documented($azora, $r, 'GET /v1/courses/{slug}/enrolment');
    is_deeply $r->{json}{lessons_done}, [1], 'which ones are done';
};


my $quiz = $azora->get("/v1/courses/$SLUG")->{json}{quiz}{id};

subtest 'a quiz waits for the lessons' => sub {
    is_problem($azora->post("/v1/quizzes/$quiz/attempts", @amina), 409,
               'lessons-unfinished');
    is_problem($azora->post("/v1/quizzes/$quiz/attempts",
                            token => $baraka->{token}), 409, 'not-enrolled');
    is $azora->value('SELECT count(*) FROM learning.attempt'), 0,
       'no attempt was made';
};


finish_course($azora, $amina, $SLUG);

subtest 'an attempt that fails' => sub {
    $r = $azora->post("/v1/quizzes/$quiz/attempts", @amina);
    is $r->{status}, 201, 'begins';
    documented($azora, $r, 'POST /v1/quizzes/{id}/attempts');
    my $attempt = $r->{json};

    is $r->{headers}{location}, "/v1/attempts/$attempt->{id}", 'where it is';
    unlike $r->{body}, qr/"(?:answer|accept|tolerance)"/,
           'the key stays where it is';

    my $again = $azora->post("/v1/quizzes/$quiz/attempts", @amina);
    is $again->{status}, 200, 'while it is open there is no second one';
    is_deeply $again->{json}, $attempt, 'with the same questions and order';

    is_problem($azora->get("/v1/attempts/$attempt->{id}",
                           token => $baraka->{token}), 404, 'not-found');
    is_problem($azora->post("/v1/attempts/$attempt->{id}/submission",
                            token => $baraka->{token},
                            json => { answers => {} }), 404, 'not-found');

    $r = $azora->post("/v1/attempts/$attempt->{id}/submission", @amina,
                      json => { answers => {} });
    is $r->{status}, 200, 'handed in';
    documented($azora, $r, 'POST /v1/attempts/{id}/submission');
    is_deeply $r->{json}, { score => 0, passed => JSON::PP::false },
              'and not passed';

    is_problem($azora->post("/v1/attempts/$attempt->{id}/submission", @amina,
                            json => { answers => right_answers($azora,
                                                               $attempt) }),
               409, 'already-submitted');
    is balance($azora, $amina, 'AZR'), 0, 'nothing is earned';
    is journaled($azora, 'course.passed'), 0, 'nothing is passed';

    $r = $azora->get("/v1/attempts/$attempt->{id}", @amina);
    documented($azora, $r, 'GET /v1/attempts/{id}');
    is $r->{json}{state}, 'submitted', 'it can be looked at';
};


subtest 'the first pass pays, nine tenths and one tenth' => sub {
    my $attempt = $azora->post("/v1/quizzes/$quiz/attempts", @amina)->{json};
    my $answers = right_answers($azora, $attempt);

    # one answer, handed in ten times at once, each with a key of its own
    my @answers = at_once($azora, map {
        ['POST', "/v1/attempts/$attempt->{id}/submission", @amina,
         key => "hand-in-$_", json => { answers => $answers }]
    } 1 .. 10);

    my ($passed, @others) = sort { $a->{status} <=> $b->{status} } @answers;
    is $passed->{status}, 200, 'one of ten is taken';
    is_deeply [map { $_->{status} } @others], [(409) x 9], 'the others not';
    documented($azora, $passed, 'POST /v1/attempts/{id}/submission');
    is_deeply $passed->{json}, {
        score => 100, passed => JSON::PP::true,
        reward => { currency => 'AZR', amount => '9.00000000',
                    citadel_fund => '1.00000000' },
    }, 'all was right';

    ok poll_until(15 * $azora->patience,
                  sub { balance($azora, $amina, 'AZR') }),
       'the reward arrives by itself';

    is balance($azora, $amina, 'AZR'), 900_000_000, 'nine AZR';
    is $azora->value(q{SELECT sum(balance) FROM ledger.account
                       WHERE kind = 'citadel_fund'}),
       100_000_000, 'one AZR for the CitadelFund';
    is journaled($azora, 'course.passed'), 1, 'one pass is journaled';
    is journaled($azora, 'reward.posted'), 1, 'and one reward';
    is_sound($azora);
};


subtest 'a second pass pays nothing' => sub {
    my $attempt = $azora->post("/v1/quizzes/$quiz/attempts", @amina)->{json};

    $r = $azora->post("/v1/attempts/$attempt->{id}/submission", @amina,
                      json => { answers => right_answers($azora, $attempt) });
    is_deeply $r->{json}, { score => 100, passed => JSON::PP::true },
              'passed again, without a reward';

    # whoever passes next is paid after everything before was looked at
    my $course = finish_course($azora, $baraka, $SLUG);
    $attempt = $azora->post("/v1/quizzes/$quiz/attempts",
                            token => $baraka->{token})->{json};
    $azora->post("/v1/attempts/$attempt->{id}/submission",
                 token => $baraka->{token},
                 json => { answers => right_answers($azora, $attempt) });
    ok poll_until(15 * $azora->patience,
                  sub { balance($azora, $baraka, 'AZR') }),
       'somebody else is paid';

    is balance($azora, $amina, 'AZR'), 900_000_000, 'Amina only once';
    is $azora->value(q{SELECT count(*) FROM ledger.transfer
                       WHERE kind = 'reward'}), 2, 'one reward for each';
    is_sound($azora);
};


subtest 'attempts are limited' => sub {
    my $max = $azora->value('SELECT attempts_max FROM learning.quiz
                             WHERE id = ?', $quiz);

    for my $n (4 .. $max) {
        my $attempt = $azora->post("/v1/quizzes/$quiz/attempts",
                                   @amina)->{json};
        $azora->post("/v1/attempts/$attempt->{id}/submission", @amina,
                     json => { answers => {} });
    }

    is_problem($azora->post("/v1/quizzes/$quiz/attempts", @amina), 409,
               'attempt-limit');
    is $azora->value('SELECT count(*) FROM learning.attempt
                      WHERE account = ?', $amina->{id}), $max, 'none more';
};

done_testing;

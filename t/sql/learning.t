# From the catalogue to the reward: lists, enrolment, progress, attempts,
# grading of each kind of question, and the reward that comes once.

use strict;
use warnings;

use Test::More;
use JSON::PP qw(encode_json);

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my ($ama, $kofi) = map { $sql->register($_) } qw(ama kofi);
my $slug = 'mobile-money-safety';


sub entries {
    $sql->value('SELECT count(*) FROM journal.entry WHERE type = ?', $_[0]);
}


# the catalogue
my (@slugs, $cursor);
do {
    my $page = $sql->call('learning.list_courses', limit => 2,
                          cursor => $cursor)->{body};
    push @slugs, map { $_->{slug} } @{$page->{items}};
    $cursor = $page->{next};
} while ($cursor);
is_deeply(\@slugs, [sort @slugs], 'courses come in order');
cmp_ok(scalar @slugs, '>=', 3, 'page by page');
is($sql->call('learning.list_courses', limit => 2, cursor => 'Li4v')
   ->{problem}, 'invalid-cursor', 'a made-up cursor is refused');

my $course = $sql->call('learning.get_course', slug => $slug)->{body};
is_deeply([map { $_->{number} } @{$course->{lessons}}], [1 .. 5],
          'a course has its lessons in order');
is_deeply($course->{quiz}{reward},
          { currency => 'AZR', amount => '10.00000000' }, 'and its reward');
is($sql->call('learning.get_course', slug => 'nothing')->{status}, 404,
   'an unknown course is not found');
my $quiz = $course->{quiz}{id};

my $lesson = $sql->call('learning.get_lesson', as => $ama, slug => $slug,
                        number => 2)->{body};
cmp_ok(length $lesson->{body}, '>', 500, 'a lesson has a text');
for my $number (0, 6, -1, 9_000_000_000_000_000) {
    is($sql->call('learning.get_lesson', as => $ama, slug => $slug,
                  number => $number)->{status}, 404, "lesson $number: 404");
}


sub progress {
    my ($number, $done, $who) = @_;
    return $sql->call('learning.set_progress', as => $who // $ama,
                      slug => $slug, number => $number, done => $done);
}

sub attempt { $sql->call('learning.start_attempt', as => $_[0] // $ama,
                         id => $quiz) }


# enrolment and progress
is(progress(1, 1)->{problem}, 'not-enrolled', 'first one has to enrol');
is(attempt()->{problem}, 'not-enrolled', 'for the quiz too');
is($sql->call('learning.get_enrolment', as => $ama, slug => $slug)
   ->{problem}, 'not-enrolled', 'there is no enrolment');
is($sql->call('learning.enrol', as => $ama, slug => 'nothing')->{status}, 404,
   'one cannot enrol in nothing');
my $r = $sql->call('learning.enrol', as => $ama, slug => $slug);
is($r->{status}, 201, 'one can enrol');
is($r->{location}, "/v1/courses/$slug/enrolment", 'with a location');
my $again = $sql->call('learning.enrol', as => $ama, slug => $slug);
is($again->{status}, 200, 'once');
is($again->{text}, $r->{text}, 'with the same answer');
is(entries('course.enrolled'), 1, 'one event');

is(progress(6, 1)->{status}, 404, 'a lesson has to exist');
is_deeply(progress($_, 1)->{body}{progress}, { done => $_, total => 5 },
          "lesson $_ is done") for 1 .. 4;
is_deeply(progress(4, 1)->{body}{progress}, { done => 4, total => 5 },
          'twice counts once');
is(entries('lesson.finished'), 4, 'and is journaled once');
is(attempt()->{problem}, 'lessons-unfinished', 'the quiz waits for the rest');
progress(5, 1);
is_deeply(progress(5, 0)->{body}{progress}, { done => 4, total => 5 },
          'a lesson can be reopened');
progress(5, 1);
is_deeply($sql->call('learning.get_enrolment', as => $ama, slug => $slug)
          ->{body}{lessons_done}, [1 .. 5], 'all are done');

# an attempt
$r = attempt();
is($r->{status}, 201, 'an attempt begins');
my $id = $r->{body}{id};
is($r->{location}, "/v1/attempts/$id", 'with a location');
is(scalar @{$r->{body}{questions}}, 6, 'with all questions');
unlike($r->{text}, qr/"(option|accept|value|tolerance)"/,
       'and without their keys');
is(attempt()->{body}{id}, $id, 'an open attempt is given again');
is($sql->call('learning.get_attempt', as => $kofi, id => $id)->{status}, 404,
   'nobody else sees it');

my %right = map { ("01990a00-0000-7000-8000-00000000010$_->[0]", $_->[1]) }
    [1, 'c'], [2, ['c', 'a']], [3, JSON::PP::false], [4, 'b'],
    [5, "  transaction   CODE "], [6, 477];


sub submit {
    my ($id, $answers, $who) = @_;
    return $sql->call('learning.submit_attempt', as => $who // $ama,
                      id => $id, answers => encode_json($answers));
}


is(submit($id, \%right, $kofi)->{status}, 404, 'nobody else hands it in');
$r = submit($id, { %right, 'a/b' => 1 });
is("$r->{status} $r->{problem} $r->{pointer}",
   '422 unknown-question /answers/a~1b', 'unknown questions are named');

$r = submit($id, { "01990a00-0000-7000-8000-000000000101" => 'c' });
is_deeply($r->{body}, { score => 14, passed => JSON::PP::false },
          'one of seven points does not pass');
is(submit($id, \%right)->{problem}, 'already-submitted', 'once is once');
is($sql->value('SELECT count(*) FROM journal.delivery'), 0, 'no reward yet');

$id = attempt()->{body}{id};
$r = submit($id, \%right);
is_deeply($r->{body}, { score => 100, passed => JSON::PP::true,
                        reward => { currency => 'AZR', amount => '9.00000000',
                                    citadel_fund => '1.00000000' } },
          'all right passes, and the reward is on its way');
is(entries('course.passed'), 1, 'by an event');

# the reward
is($sql->app->selectrow_array('SELECT ledger.consume_rewards(10)'), 1,
   'the ledger handles it');
is($sql->app->selectrow_array('SELECT ledger.consume_rewards(10)'), 0, 'once');
is($sql->balance($ama), 9_00000000, 'nine tenths reach the learner');
is($sql->value("SELECT sum(balance) FROM ledger.account
                WHERE kind = 'citadel_fund'"), 1_00000000,
   'one tenth the CitadelFund');
is(entries('reward.posted'), 1, 'journaled');

$r = submit(attempt()->{body}{id}, \%right);
ok(!exists $r->{body}{reward}, 'a second pass earns nothing');

# the same event again, and another event for the same pass
$sql->{dbh}->do("
    INSERT INTO journal.delivery (consumer, entry)
    SELECT 'ledger.rewards', id FROM journal.entry
    WHERE type = 'course.passed'");
$sql->{dbh}->do("
    SELECT journal.append('course.passed', subject, body::jsonb)
    FROM journal.payload WHERE body ->> 'reward_minor' IS NOT NULL");
is($sql->app->selectrow_array('SELECT ledger.consume_rewards(10)'), 2,
   'repeated events are handled');
is($sql->balance($ama), 9_00000000, 'without a second reward');

# two consumers at once share the work: one does it
$sql->{dbh}->begin_work;
$sql->{dbh}->do('SELECT ledger.consume_rewards(10)');
is($sql->app->selectrow_array('SELECT ledger.consume_rewards(10)'), 0,
   'one node at a time');
$sql->{dbh}->rollback;

# a reward beyond what may be minted today fails, waits, and is laid aside
$sql->{dbh}->do('UPDATE ledger.issuance_policy SET day_max = 0');
$sql->{dbh}->do("
    SELECT journal.append('course.passed', NULL, jsonb_build_object(
        'account', '$kofi', 'quiz', '$quiz', 'currency', 'AZR',
        'reward_minor', 1000000000))");
for my $failure (1 .. 3) {
    $sql->app->do('SELECT ledger.consume_rewards(10)');
    is_deeply($sql->rows('SELECT failures, state, last_error
                          FROM journal.delivery'),
              [[$failure, $failure < 3 ? 'waiting' : 'dead',
                'AZ409 issuance-limit']], "failure $failure is counted");
    is($sql->app->selectrow_array('SELECT ledger.consume_rewards(10)'), 0,
       'and not tried at once');
    $sql->{dbh}->do('UPDATE journal.delivery SET not_before = now()');
}
is($sql->balance($kofi), 0, 'nothing was minted');
is_deeply($sql->errors_in_books, [], 'the books are right');

# splits
is($sql->value('SELECT count(*) FROM generate_series(0, 10000) AS n
                WHERE ledger.learner_share(n) NOT BETWEEN 0 AND n
                   OR ledger.learner_share(n) <> n * 9 / 10'), 0,
   'the learner gets nine tenths of 0 to 10,000, rounded down');
is($sql->value('SELECT ledger.learner_share(9223372036854775807)'),
   '8301034833169298226', 'and of the largest amount');

# grading
for (
    ['single', '{"option":"a"}', '"a"', 100],
    ['single', '{"option":"a"}', '"b"', 0],
    ['single', '{"option":"a"}', '["a"]', 0],
    ['boolean', '{"value":true}', 'true', 100],
    ['boolean', '{"value":true}', '"true"', 0],
    ['multiple', '{"options":["a","b","c"]}', '["b","a","c"]', 100],
    ['multiple', '{"options":["a","b","c"]}', '["a","b"]', 66],
    ['multiple', '{"options":["a","b","c"]}', '["a","b","x"]', 33],
    ['multiple', '{"options":["a","b","c"]}', '["x","y"]', 0],
    ['multiple', '{"options":["a","b","c"]}', '["a","a","a"]', 33],
    ['multiple', '{"options":["a","b","c"]}', '"a"', 0],
    ['multiple', '{"options":["a"]}', '[[]]', 0],
    ['multiple', '{"options":["a","b"]}', '["a",["a"],["a","a"],[]]', 0],
    ['multiple', '{"options":["a","b"]}', '["a",{}]', 0],
    ['multiple', '{"options":["a","b"]}', '["a",null]', 0],
    ['multiple', '{"options":["a","b"]}', '[]', 0],
    ['numeric', '{"value":3.5,"tolerance":0.1}', '3.4', 100],
    ['numeric', '{"value":3.5,"tolerance":0.1}', '"3.6"', 100],
    ['numeric', '{"value":3.5,"tolerance":0.1}', '3.61', 0],
    ['numeric', '{"value":3.5}', '3.50', 100],
    ['numeric', '{"value":3.5}', '1e999', 0],
    ['numeric', '{"value":3.5}', '"a lot"', 0],
    ['text', '{"accept":["Accra"]}', '" accra "', 100],
    ['text', '{"accept":["Accra"]}', '"\\tAccra\\r\\n"', 100],
    ['text', '{"accept":["Accra"]}', '"\\u00a0Accra\\u3000"', 100],
    ['text', '{"accept":["Accra"],"case":true}', '"accra"', 0],
    ['text', '{"accept":["caf\u00e9"]}', '"cafe\u0301"', 100],
    ['text', '{"accept":["Accra"]}', '["Accra"]', 0],
    ['text', '{"accept":["Accra"]}', 'null', 0],
    ['text', '{"accept":["Accra"]}', undef, 0],
) {
    my ($kind, $key, $answer, $points) = @$_;
    is($sql->value('SELECT learning.grade_answer(?, ?::jsonb, 100, ?::jsonb)',
                   $kind, $key, $answer), $points,
       "$kind " . ($answer // 'nothing') . " to $key: $points");
}

# attempts are limited, and late work is accepted and flagged
$sql->{dbh}->do('UPDATE learning.quiz SET minutes_max = 10');
$id = attempt()->{body}{id};
$sql->{dbh}->do("UPDATE learning.attempt
                 SET expires_at = now() - interval '1 minute'
                 WHERE id = '$id'");
is(submit($id, \%right)->{body}{score}, 100, 'late work is graded');
is($sql->value('SELECT late FROM learning.attempt WHERE id = ?', $id), 1,
   'and flagged');
submit(attempt()->{body}{id}, {});
is(attempt()->{problem}, 'attempt-limit', 'a sixth attempt has to wait');

done_testing();

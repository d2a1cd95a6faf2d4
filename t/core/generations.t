#!/usr/bin/perl

# Generations: what PostgreSQL announces is known to every worker at once, and
# nothing is called current while nobody listens.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until);
use Azora::Test;
use Test::More;
use Time::HiRes qw(sleep time);

my $azora = Azora::Test->start(
    workers => 2,
    postgres => 'own',
    expect_alert => qr/exited on signal 9/,
);

my $LISTENER = "application_name = 'azora/listen'"
    . " AND datname = current_database()";


# Asks often enough for every worker to have its turn.
sub etags {
    my %seen;
    for (1 .. 12) {
        my $r = $azora->get('/v1/courses');
        $seen{ $r->{headers}{etag} || 'none' }++;
    }
    return sort keys %seen;
}


sub bump {
    my ($name) = @_;
    return $azora->value('SELECT azora.bump(?)', $name);
}


# Waits until all workers give the tag of this generation; the seconds it
# took, or undef.
sub until_current {
    my ($value, $seconds) = @_;
    my $began = time;
    my $took;

    my $current = sub {
        my $tag = $azora->get('/v1/courses')->{headers}{etag};
        return 0 if $azora->generation_of($tag) != $value;
        $took = time - $began;
        return !grep { $azora->generation_of($_) != $value } etags();
    };

    return poll_until(($seconds || 10) * $azora->patience, $current)
        ? $took : undef;
}


bump('catalogue');


subtest 'every worker sees what was announced' => sub {
    my $value = bump('catalogue');
    ok defined until_current($value), 'the tag is the generation';

    my ($tag) = etags();
    my $r = $azora->get('/v1/courses',
                        headers => [['If-None-Match', $tag]]);
    is $r->{status}, 304, 'a current copy is confirmed';

    my $slowest = 0;

    for (1 .. 20) {
        my $took = until_current(bump('catalogue'), 2);
        $slowest = 9 if !defined $took;
        $slowest = $took if $took && $took > $slowest;
    }

    cmp_ok $slowest, '<', 0.5 * $azora->patience,
        "twenty times everywhere at once (at most $slowest s)";

    $r = $azora->get('/v1/courses', headers => [['If-None-Match', $tag]]);
    is $r->{status}, 200, 'the old copy is not confirmed any more';
};


subtest 'one connection listens, not one per worker' => sub {
    is $azora->value("SELECT count(*) FROM pg_stat_activity WHERE $LISTENER"),
        1, 'one';
    ok poll_until(5, sub {
        $azora->value("SELECT query FROM pg_stat_activity WHERE $LISTENER")
            =~ /azora\.generations\(\)/;
    }), 'and it makes sure now and then';
};


subtest 'what a notification missed is found by reading' => sub {
    my $value = $azora->value(<<'SQL');
UPDATE azora.generation SET value = value + 1 WHERE name = 'catalogue'
RETURNING value
SQL
    ok defined until_current($value, 5), 'within a few seconds';
};


subtest 'a restored backup counts' => sub {
    my $lost = bump('catalogue');
    ok defined until_current($lost, 5), 'what was published is lost again';
    my ($tag) = etags();
    my $value = $azora->value(<<'SQL');
UPDATE azora.generation SET value = value - 5 WHERE name = 'catalogue'
RETURNING value
SQL
    ok defined until_current($value, 5), 'also when the number falls';

    for (1 .. 5) {
        my $next = bump('catalogue');
        cmp_ok $next, '>', $lost, 'no number comes again';
        ok defined until_current($next, 5), 'when it rises';
        is $azora->get('/v1/courses',
            headers => { 'If-None-Match' => $tag })->{status}, 200,
            'and no tag of what was lost is good';
    }
};


subtest 'nonsense on the channel' => sub {
    my $value = bump('catalogue');
    my $mark = $azora->mark;

    for my $payload ('', ' ', 'catalogue', 'catalogue ', ' 7', 'catalogue -1',
                     'catalogue 9999999999999999999999', 'catalogue 7 8',
                     'catalogue 0', 'nobody 7', 'x' x 7000)
    {
        $azora->sql('SELECT pg_notify(?, ?)', 'azora_generation', $payload);
    }

    sleep 0.3;
    ok defined until_current($value), 'changes nothing';
    is $azora->value("SELECT count(*) FROM pg_stat_activity WHERE $LISTENER"),
        1, 'and does not end the connection';
    unlike $azora->error_log($mark), qr/not listening/, 'nothing is logged';
};


subtest 'the connection is cut' => sub {
    my $mark = $azora->mark;
    my $value;

    for (1 .. 5) {
        ok poll_until(10, sub {
            return $azora->value("SELECT count(pg_terminate_backend(pid))"
                                 . " FROM pg_stat_activity WHERE $LISTENER");
        }), 'cut';
        $value = bump('catalogue');
        ok defined until_current($value), 'what moved meanwhile is known';
    }

    like $azora->error_log($mark),
        qr/not listening for generations: server closed/,
        'the loss is logged';
    ok $azora->wait_log(qr/listening for generations again/, $mark),
        'and the return';
};


subtest 'the connection is silent' => sub {
    my $backend = $azora->value(
        "SELECT pid FROM pg_stat_activity WHERE $LISTENER");
    my ($tag) = etags();
    my $mark = $azora->mark;

    kill STOP => $backend;
    bump('catalogue');

    ok poll_until(5 * $azora->patience, sub {
        return $azora->get('/v1/courses',
            headers => [['If-None-Match', $tag]])->{status} == 200;
    }), 'no copy is confirmed after the lease';
    ok $azora->wait_log(qr/not listening for generations: no answer in time/,
                        $mark), 'the silence is logged';
    kill CONT => $backend;

    my $value = bump('catalogue');
    ok defined until_current($value), 'and then it goes on';
};


subtest 'the listening worker is killed' => sub {
    my ($tag) = etags();

    $azora->kill_worker for 1 .. 2;
    my $value = bump('catalogue');
    ok defined until_current($value), 'its successor listens';
    is $azora->get('/v1/courses',
                   headers => [['If-None-Match', $tag]])->{status}, 200,
        'nothing old is confirmed';
};


subtest 'reloads' => sub {
    for (1 .. 5) {
        $azora->reload;
        ok defined until_current(bump('catalogue')), 'the new workers know';
    }

    ok poll_until(10, sub {
        return 1 == $azora->value(
            "SELECT count(*) FROM pg_stat_activity WHERE $LISTENER");
    }), 'the old ones stop listening';
};


subtest 'PostgreSQL restarts' => sub {
    $azora->stop_postgres('immediate');
    $azora->start_postgres;
    $azora->wait_ready;
    ok defined until_current(bump('catalogue'), 20), 'and is heard again';
};


done_testing;

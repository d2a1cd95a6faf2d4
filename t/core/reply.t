#!/usr/bin/env perl

# How answers leave: entity tags and 304 without a query, Prefer, Location,
# HEAD, and Idempotency-Key on an endpoint that is no transfer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Process qw(poll_until);
use Azora::Story qw(at_once is_problem journaled);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 2);
my $amina = $azora->user('amina');
my $baraka = $azora->user('baraka');
my @amina = (token => $amina->{token});
my $r;

sub statements {
    my ($function) = @_;
    my $n = 0;
    my $metrics = $azora->get('/metrics')->{body};
    my $family = 'db_client_operation_duration_seconds_count';
    $n += $1
        while $metrics =~ /^$family\{[^}]*"\Q$function\E"[^}]*\} (\d+)/mg;
    return $n;
}

sub tag_of {
    my ($path, @opts) = @_;
    my $tag;
    # worker 0 listens from a moment after the start on
    poll_until(10, sub {
        return $tag = $azora->get($path, @opts)->{headers}{etag} });
    return $tag;
}


subtest 'a version that the client has' => sub {
    my $tag = tag_of('/v1/courses');
    like $tag, qr{\AW/"[0-9a-f]+-[0-9a-f]{8}"\z}, 'has a weak entity tag';

    my $before = statements('learning.list_courses');
    for my $value ($tag, qq{"other", $tag}, $tag =~ s/^W\///r, '*') {
        $r = $azora->get('/v1/courses',
                         headers => { 'If-None-Match' => $value });
        is $r->{status}, 304, "If-None-Match: $value";
        is $r->{body}, '', 'without a body';
        is $r->{headers}{etag}, $tag, 'with the tag';
    }
    is statements('learning.list_courses'), $before, 'no query was made';

    is $azora->get('/v1/courses',
                   headers => { 'If-None-Match' => 'W/"0-00000000"' })
        ->{status}, 200, 'another version is sent whole';
    isnt tag_of('/v1/courses?limit=1'), $tag, 'another page has another tag';

    $azora->sql(q{SELECT azora.bump('catalogue')});
    ok poll_until(10, sub {
        return $azora->get('/v1/courses',
                           headers => { 'If-None-Match' => $tag })->{status}
               == 200;
    }), 'a change of the catalogue makes the tag old';
};


subtest 'HEAD' => sub {
    my $get = $azora->get('/v1/courses');
    $r = $azora->head('/v1/courses');
    is $r->{status}, 200, 'is answered';
    is $r->{body}, '', 'without a body';
    is $r->{headers}{'content-length'}, length $get->{body}, 'of its length';
};


subtest 'Prefer: return=minimal' => sub {
    my %minimal = (Prefer => 'return=minimal');

    $r = $azora->post('/v1/courses/getting-paid/enrolment', @amina,
                      headers => { %minimal });
    is $r->{status}, 201, 'created stays created';
    is $r->{body}, '', 'without its body';
    is $r->{headers}{location}, '/v1/courses/getting-paid/enrolment',
        'with its place';
    is $r->{headers}{'preference-applied'}, 'return=minimal', 'as preferred';

    $r = $azora->put('/v1/courses/getting-paid/lessons/1/progress', @amina,
                     headers => { %minimal }, json => { done => \1 });
    is $r->{status}, 204, 'a change has no content';

    $r = $azora->get('/v1/me', @amina, headers => { %minimal });
    is $r->{json}{name}, 'Amina', 'what is read is read';

    is_problem($azora->put('/v1/courses/getting-paid/lessons/99/progress',
                           @amina, headers => { %minimal },
                           json => { done => \1 }), 404, 'not-found');
};


subtest 'an Idempotency-Key' => sub {
    my %job = (title => 'Paint a wall', description => 'Two by three metres.',
               currency => 'AZR', budget => '5');
    my @once = (@amina, key => 'wall-1');

    $r = $azora->post('/v1/jobs', @once, json => { %job });
    is $r->{status}, 201, 'the first is carried out';
    my $first = $r;

    $r = $azora->post('/v1/jobs', @once, json => { %job });
    is $r->{status}, 201, 'the second gets its status';
    is $r->{body}, $first->{body}, 'and its body';
    is $r->{headers}{location}, $first->{headers}{location}, 'and its place';

    $r = $azora->post('/v1/jobs', @amina, key => '"wall-1"', json => { %job });
    is $r->{body}, $first->{body}, 'the key may be a quoted string';

    is_problem($azora->post('/v1/jobs', @once,
                            json => { %job, budget => '6' }),
               422, 'idempotency-conflict');

    $r = $azora->post('/v1/jobs', key => 'wall-1', json => { %job },
                      token => $baraka->{token});
    isnt $r->{json}{id}, $first->{json}{id},
        'the same key of somebody else is another key';

    is $azora->value('SELECT count(*) FROM market.job'), 2, 'two jobs exist';
    is journaled($azora, 'job.posted'), 2, 'and were journaled';

    is_problem($azora->post('/v1/jobs', @amina, key => 'x' x 256,
                            json => { %job }),
               400, 'invalid-idempotency-key');
    is_problem($azora->post('/v1/jobs', @amina, key => "a\tb",
                            json => { %job }),
               400, 'invalid-idempotency-key');
    is $azora->post('/v1/jobs', @amina, key => 'x' x 255, json => { %job })
        ->{status}, 201, '255 characters are a key';
};


subtest 'twenty at once with one key' => sub {
    my @answers = at_once($azora, map { [
        'POST', '/v1/jobs', @amina, key => 'race-1',
        json => { title => 'Sweep a yard', description => 'On Friday.',
                  currency => 'AZR', budget => '1' }
    ] } 1 .. 20);

    my %statuses;
    $statuses{ $_->{status} }++ for @answers;
    is_deeply [grep { !/^(?:201|409)$/ } keys %statuses], [],
        'are answered 201, or 409 while the first runs'
        or diag explain \%statuses;

    my %bodies = map { $_->{body} => 1 }
        grep { $_->{status} == 201 } @answers;
    is scalar keys %bodies, 1, 'all with one body';
    is $azora->value(q{SELECT count(*) FROM market.job
                       WHERE title = 'Sweep a yard'}), 1, 'one job exists';
};


subtest 'a refused request leaves its key unused' => sub {
    my %apply = (message => 'I paint walls.');
    my $job = $azora->value(q{SELECT id FROM market.job
                              WHERE title = 'Paint a wall' LIMIT 1});
    my $none = '01990000-0000-7000-8000-000000000000';

    is $azora->post("/v1/jobs/$none/applications", key => 'apply-1',
                    token => $baraka->{token}, json => \%apply)->{status},
       404, 'nothing to apply for';
    is $azora->value(q{SELECT count(*) FROM azora.idempotency
                       WHERE key = 'apply-1'}), 0, 'no key is kept';
};

done_testing;

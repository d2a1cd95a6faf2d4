# The probes: /livez tells that the process answers, /readyz that it can work.

use strict;
use warnings;

use Test::More;

use Azora::Process qw(poll_until);
use Azora::Test;

my $azora = Azora::Test->start(postgres => 'own', workers => 1);


sub checks {
    my ($r) = @_;
    return { map { $_->{name} => $_->{status} } @{ $r->{json}{checks} } };
}


subtest 'a process that answers' => sub {
    my $r = $azora->get('/livez');
    is $r->{status}, 200, 'lives';
    is $r->{body}, '{"status":"ok"}', 'and says so briefly';

    my $head = $azora->head('/livez');
    is $head->{status}, 200, 'HEAD too';
    is $head->{headers}{'content-length'}, length $r->{body},
        'with the length of the body';

    is_deeply checks($azora->get('/livez?verbose')), { process => 'ok' },
        'verbose lists its check';
};

subtest 'a worker with its database' => sub {
    my $r = $azora->get('/readyz');
    is $r->{status}, 200, 'is ready';
    is $r->{body}, '{"status":"ok"}', 'and says so briefly';

    my $checks = checks($azora->get('/readyz?verbose=1'));
    is $checks->{$_}, 'ok', $_ for qw(postgres-read postgres-write redis);
    is $azora->get('/readyz?nonverbose')->{body}, $r->{body},
        'only verbose is verbose';
};

subtest 'other methods are refused' => sub {
    for my $path (qw(/livez /readyz /metrics /openapi.json /docs)) {
        my $r = $azora->post($path, json => { a => 1 });
        is $r->{status}, 405, "POST $path";
        is $r->{headers}{allow}, 'GET, HEAD', 'what is allowed';
        is $r->{json}{type}, '/problems/method-not-allowed', 'as a problem';
    }
};

subtest 'Redis is not needed to be ready' => sub {
    $azora->stop_redis;
    ok poll_until(20 * $azora->patience, sub {
        return checks($azora->get('/readyz?verbose'))->{redis} ne 'ok';
    }), 'its loss is seen';
    is $azora->get('/readyz')->{status}, 200, 'and tolerated';
};

subtest 'PostgreSQL is' => sub {
    $azora->stop_postgres('immediate');
    ok poll_until(20 * $azora->patience,
                  sub { $azora->get('/readyz')->{status} == 503 }),
        'its loss is seen';

    my $r = $azora->get('/readyz');
    is $r->{json}{type}, '/problems/not-ready', 'as a problem';
    is checks($r)->{'postgres-write'}, 'failed', 'that names the check';
    is $azora->get('/livez')->{status}, 200, 'the process lives on';

    $azora->start_postgres;
    ok poll_until(20 * $azora->patience,
                  sub { $azora->get('/readyz')->{status} == 200 }),
        'it recovers by itself';
};

subtest 'a worker that ends is not ready' => sub {
    my $http = $azora->connect;
    $http->write("GET /readyz HTTP/1.1\r\nHost: a\r\n");
    my $http_livez = $azora->connect;
    $http_livez->write("GET /livez HTTP/1.1\r\nHost: a\r\n");

    # the old worker has read half of each request and must answer them
    $azora->get('/livez') for 1 .. 3;
    my $mark = $azora->mark;
    $azora->reload;
    ok $azora->wait_log(qr/gracefully shutting down/, $mark),
        'the old worker is told to end';

    $http->write("\r\n");
    my $r = $http->read_response;
    is $r->{status}, 503, 'the old worker says so';
    is checks($r)->{draining}, 'failed', 'and why';

    $http_livez->write("\r\n");
    is $http_livez->read_response->{status}, 200, 'though it lives';
    ok poll_until(20 * $azora->patience,
                  sub { $azora->get('/readyz')->{status} == 200 }),
        'the new one gets ready';
};

done_testing;

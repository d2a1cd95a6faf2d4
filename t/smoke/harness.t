# The harness itself: what it promises to the other tests.

use strict;
use warnings;

use Test::More;

use Azora::Test;

my $azora = Azora::Test->start(expect_alert => qr/exited on signal 9/);

subtest 'an NGINX with a database of its own' => sub {
    is $azora->get('/livez')->{status}, 200, 'it answers';
    is $azora->value('SELECT current_database()'), $azora->{database},
        'its database is its own';
    is scalar($azora->worker_pids), 2, 'two workers';
};

subtest 'raw bytes' => sub {
    my $http = $azora->connect;
    my $request = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";

    $http->write($request x 2);
    is $http->read_response->{status}, 200, 'the first of a pipeline';
    is $http->read_response->{status}, 200, 'the second';

    $http->write(substr $request, 0, 12);
    $http->shutdown_write;
    ok $http->closed(5), 'half a request ends with the connection';
};

subtest 'signals' => sub {
    my ($master, @workers) = ($azora->master_pid, $azora->worker_pids);

    $azora->reload;
    is $azora->master_pid, $master, 'a reload keeps the master';
    isnt "@{[ $azora->worker_pids ]}", "@workers", 'and replaces the workers';

    $azora->upgrade;
    isnt $azora->master_pid, $master, 'an upgrade replaces the master';

    my $dead = $azora->kill_worker;
    ok !(grep { $_ == $dead } $azora->worker_pids), 'a killed worker is gone';
    is $azora->get('/livez')->{status}, 200, 'and its successor answers';
};

subtest 'what the log complains about is found' => sub {
    my @complaints = $azora->complaints;
    is_deeply \@complaints, [], 'expected alerts are none';

    delete local $azora->{opts}{expect_alert};
    like +($azora->complaints)[0], qr/exited on signal 9/,
        'the killed worker is one when it is not expected';
};

done_testing;

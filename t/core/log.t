# The access log: one line of JSON a request, and nothing private in it.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep);

use Azora::HTTP;
use Azora::Process qw(poll_until slurp);
use Azora::Test;

my $azora = Azora::Test->start(edit => sub { s/buffer=32k flush=1s// });
my $log = "$azora->{dir}/logs/access.log";
my $TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';


# A line is written after the answer: wait for a pattern, then return all the
# lines since a mark.
sub lines_after {
    my ($mark, $pattern) = @_;
    my $text = '';

    ok poll_until(10 * $azora->patience, sub {
        $text = substr slurp($log), $mark;
        return $text =~ $pattern;
    }), 'it is logged' or diag($text);
    return split /\n/, $text;
}


# The decoded line of the request with this id.
sub line_of {
    my ($id) = @_;
    my ($line) = grep { /"\Q$id\E"/ } lines_after(0, qr/"\Q$id\E".*\n/);
    return $Azora::HTTP::JSON->decode($line // '{}');
}


sub mark { return -s $log || 0 }


subtest 'a line has ECS names' => sub {
    $azora->get('/v1/courses?limit=2', headers => {
        'X-Request-Id' => 'log-names',
        traceparent => "00-$TRACE-00f067aa0ba902b7-01",
    });
    my $line = line_of('log-names');

    like $line->{'@timestamp'},
        qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/, '@timestamp';
    is $line->{'log.level'}, 'info', 'log.level';
    like $line->{message}, qr{\AGET /v1/courses}, 'message';
    is $line->{'trace.id'}, $TRACE, 'trace.id';
    like $line->{'span.id'}, qr/\A[0-9a-f]{16}\z/, 'span.id';
    is $line->{'http.route'}, '/v1/courses', 'http.route is the template';
    is $line->{'http.request.method'}, 'GET', 'http.request.method';
    is $line->{'http.response.status_code'}, 200, 'status';
    like $line->{'event.duration'}, qr/\A[1-9]\d{3,}\z/,
        'event.duration in nanoseconds';
    is $line->{'client.address'}, '127.0.0.0', 'the address is a network';
    ok !exists $line->{'error.type'}, 'no error';
};

subtest 'refusals have a level and a type' => sub {
    $azora->get('/v1/nothing-here', headers => {
        'X-Request-Id' => 'log-refusal' });
    my $line = line_of('log-refusal');

    is $line->{'log.level'}, 'warn', 'log.level';
    is $line->{'error.type'}, 'not-found', 'the name of the problem';
    ok !exists $line->{'http.route'}, 'no route';
};

subtest 'no token, password, body or query is written' => sub {
    my $person = $azora->user('thandeka');
    my $mark = mark();

    $azora->get('/v1/me?access_token=query-secret', token => $person->{token});
    $azora->get('/v1/me', token => 'forged-secret');
    $azora->post('/v1/auth/login', json => {
        email => 'thandeka@example.org', password => 'body-secret' });
    $azora->get('/v1/courses', headers => {
        Cookie => 'session=cookie-secret', Referer => 'http://a/?referer-secret',
        'User-Agent' => 'agent-secret' });
    $azora->get('/v1/me', token => $person->{token},
                headers => { 'X-Request-Id' => 'log-private' });

    my @lines;
    poll_until(10 * $azora->patience, sub {
        @lines = split /\n/, substr slurp($log), $mark;
        return @lines >= 5;
    });
    cmp_ok scalar @lines, '>=', 5, 'five requests, five lines';

    my $all = join "\n", @lines, $azora->error_log;
    unlike $all, qr/-secret/, 'no secret in either log';
    unlike $all, qr/\Q$person->{token}\E/, 'nor the token';
    unlike $all, qr/a long pass phrase/, 'nor the password';
    unlike $all, qr/thandeka/, 'nor the e-mail address';

    is line_of('log-private')->{'user.id'}, $person->{id},
        'who it was is the account\'s id';
};

subtest 'a line is JSON whatever the client sends' => sub {
    my @requests = (
        "GET /\xff\xfe\x80 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\"}\\n%22%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /%ff%c3%28 HTTP/1.1\r\nHost: a\r\n\r\n",
        "G\"T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        "GET /" . 'a' x 9000 . " HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /" . 'a' x 3000 . " HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: " . 'a' x 40000 . "\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET /v1/courses HTTP/1.1\r\nHost: a\r\nX-Request-Id: \"}\xff\"aaaaa"
            . "\r\n\r\n",
        "GET /v1/courses HTTP/1.0\r\n\r\n",
        "GET /\r\n\r\n",
    );
    my $mark = mark();

    for my $request (@requests) {
        my $http = $azora->connect;
        $http->write($request);
        eval { $http->read_response(timeout => 5) };
        $http->close;
    }

    my @lines;
    ok poll_until(10 * $azora->patience, sub {
        @lines = split /\n/, substr slurp($log), $mark;
        return @lines >= @requests;
    }), 'a line for each' or diag(@lines);

    for my $line (@lines) {
        my $decoded = eval { $Azora::HTTP::JSON->decode($line) };
        ok $decoded && $decoded->{'http.response.status_code'} =~ /\A\d+\z/,
            substr($line, 0, 60) or diag($@, $line);
        cmp_ok length $line, '<', 1500, 'and it is bounded';
    }
};

subtest 'a request that never became one has its time, too' => sub {
    my $mark = mark();
    my $http = $azora->connect;
    $http->write("GET / HTTP/1.1\r\n");
    sleep 1;
    $http->write("Host: a\r\nHost: b\r\nbad header\r\n\r\n");
    eval { $http->read_response(timeout => 5) };

    my ($line) = lines_after($mark, qr/"http.response.status_code":400/);
    cmp_ok $Azora::HTTP::JSON->decode($line)->{'event.duration'}, '>',
        500_000_000, 'the second it took to send half of it';
};

done_testing;

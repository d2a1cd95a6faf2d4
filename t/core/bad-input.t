# Whatever comes in, a 4xx problem names what is wrong with it: never a 5xx, a
# hang, a crash or a line of SQL.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use Azora::Echo;

# a small buffer, so that larger bodies go through a file
my $azora = Azora::Echo->start(http => 'client_body_buffer_size 4k;');
my @workers = $azora->worker_pids;
my $JSON = ['Content-Type', 'application/json'];


# What every refusal must be.
sub is_problem {
    my ($r, $status, $type, $name) = @_;

    is $r->{status}, $status, $name;
    is $r->{headers}{'content-type'}, 'application/problem+json',
        '  is a problem';
    is $r->{json}{type}, "/problems/$type", "  $type";
    is $r->{json}{status}, $status, '  says its status';
    like $r->{json}{request_id}, qr/\A[0-9a-f-]{32,36}\z/,
        '  has a request id';
    ok length $r->{json}{title}, '  has a title';
    unlike $r->{body}, qr/select|sqlstate|postgres|ngx_|line \d/i,
        '  nothing of the inside';
    return;
}


sub post_raw {
    my ($path, $body, @headers) = @_;
    return $azora->post($path, body => $body,
                        headers => @headers ? [@headers] : [$JSON]);
}


sub errors_of {
    my ($r) = @_;
    return [map { "$_->{pointer} $_->{detail}" } @{ $r->{json}{errors} || [] }];
}


subtest 'what a row makes itself' => sub {
    for my $method ('POST', 'DELETE') {
        my $r = $azora->request($method, '/echo/made');
        is $r->{status}, 200, "$method without a body";
        is_deeply $r->{json}{values}, { made => 'here' }, 'has its value';
        is_problem $azora->request($method, '/echo/made',
            body => '{"made":"there"}', headers => [$JSON]), 400,
            'unexpected-body', 'which no client gives';
        is_problem $azora->request($method, '/echo/made?made=there'), 422,
            'validation-failed', 'nor in the query';
    }

    my $about = $azora->get('/openapi.json')->{json}{paths}{'/echo/made'};
    ok $about && JSON::PP->new->encode($about) !~ /"made"/, 'nor reads about';
};


subtest 'what is right is taken' => sub {
    my $r = $azora->post('/echo/all/a?limit=5&cursor=abc%2B', json => {
        text => "\x{e9}\x{1f600}\n", secret => 'pass phrase', to => '@ada',
        email => 'Ada@example.org', currency => 'AZR', amount => '1.50',
        state => 'active', count => -10, done => JSON::PP::true,
        id => '018F5E2E-7B1C-7CC3-98C4-DC0C0C07398F',
        at => '2026-11-20t06:00:00+01:00', tags => [],
        items => [{ title => 't', amount => '1' }], answers => { a => 0.1 },
    });

    is $r->{status}, 200, 'every kind at once';
    my $values = $r->{json}{values};
    is $values->{text}, "\x{e9}\x{1f600}\n", 'text';
    is $values->{secret}, 'pass phrase', 'a secret';
    is $values->{count}, '-10', 'an integer';
    is $values->{done}, 'true', 'a boolean';
    is $values->{id}, '018f5e2e-7b1c-7cc3-98c4-dc0c0c07398f',
        'a UUID in lower case';
    is $values->{at}, '2026-11-20T06:00:00+01:00', 'a time with its T';
    is $values->{tags}, '[]', 'an empty list';
    is $values->{items}, '[{"amount":"1","title":"t"}]', 'a list of objects';
    is $values->{answers}, '{"a":0.1}', 'an object, its numbers unchanged';
    is $values->{limit}, '5', 'an integer of the query';
    is $values->{cursor}, 'abc+', 'text of the query';

    is post_raw('/echo/all/a', '')->{status}, 200,
        'no body where all is optional';
    is post_raw('/echo/all/a', " {}\r\n")->{status}, 200, 'an empty object';
    is $azora->post('/echo/all/a')->{status}, 200, 'not even a length';
    is $azora->post('/echo/all/a', json => { text => undef })
             ->{json}{values}{text}, undef, 'null is absent';
};


subtest 'JSON that is none' => sub {
    my @cases = (
        ['not JSON', 'hello', 0], ['half an object', '{"text":"a"', 11],
        ['a trailing comma', '{"text":"a",}', 12],
        ['two objects', '{"text":"a"}{}', 12],
        ['single quotes', "{'text':'a'}", 1], ['a comment', '{/**/}', 1],
        ['NaN', '{"count":NaN}', 9], ['a byte order mark', "\xef\xbb\xbf{}", 0],
        ['raw NUL', "{\"text\":\"a\0b\"}", 10],
        ['NUL behind the end', "{}\0", 2],
        ['escaped NUL', '{"text":"a\u0000b"}', 10],
        ['invalid UTF-8', "{\"text\":\"\xff\"}", 9],
        ['an overlong form', "{\"text\":\"\xc0\x80\"}", 9],
        ['UTF-16', "\0{\0}", 0],
        ['half a surrogate pair', '{"text":"\ud83d"}', 9],
        ['a raw line end', "{\"text\":\"a\nb\"}", 10],
        ['a huge integer', '{"count":99999999999999999999}', 9],
        ['a huge exponent', '{"answers":{"a":1e999999}}', 16],
        ['too many digits', '{"answers":{"a":0.12345678901234567}}', 16],
        ['a leading zero', '{"count":01}', 10],
        ['a duplicate name', '{"text":"a","text":"b"}', 12],
        ['a duplicate inside', '{"answers":{"x":1,"x":2}}', 18],
        ['depth 1,000', '{"answers":' . '[' x 1000 . ']' x 1000 . '}', 42],
        ['depth 100,000', '[' x 100_000, 32],
    );

    for my $case (@cases) {
        my ($name, $body, $offset) = @$case;
        my $start = time;
        my $r = post_raw('/echo/all/a', $body);

        is_problem $r, 400, 'invalid-json', $name;
        like $r->{json}{detail}, qr/ at byte $offset: \S/, '  says where';
        cmp_ok time - $start, '<', 2 * $azora->patience, '  and soon';
    }

    my $r = post_raw('/echo/all/a', '{"text":"a","text":"b"}');
    like $r->{json}{detail}, qr/the name "text" appears twice/,
        'the duplicate is named';

    for my $body ('[]', '"a"', '1', 'null', 'true') {
        is_problem post_raw('/echo/all/a', $body), 400, 'invalid-json',
            "$body is no object";
    }

    is_problem post_raw('/echo/all/a', '[' . '0,' x 60_000 . '0]'), 400,
        'invalid-json', 'sixty thousand values';
};


subtest 'fields' => sub {
    my $r = $azora->post('/echo/all/NO?limit=101&limit=1&nope=1&cursor=%f',
        json => {
            text => 'x' x 51, secret => 'short', email => 'a', to => 'a b',
            currency => 'azr', amount => 1.5, state => 'closed', count => '1',
            done => 'true', id => 'x', at => '2026-02-30T00:00:00Z',
            items => [{}, 1], tags => [1], answers => [], 'a/b' => 1,
        });

    is_problem $r, 422, 'validation-failed', 'everything wrong';
    is_deeply errors_of($r), [
        '{slug} has other characters than a-z, 0-9 and -',
        '/text is too long: 0 to 50 characters are allowed',
        '/secret is too short: 8 to 64 bytes are allowed',
        '/email is too short: 3 to 254 characters are allowed',
        '/to is not an e-mail address, a handle or an account\'s id',
        '/currency is not a currency\'s code such as AZR',
        '/amount must be a string, never a number',
        '/state is none of the values allowed: draft, active',
        '/count must be an integer',
        '/done must be true or false',
        '/id is not a UUID',
        '/at is not a time that exists',
        '/items/0/title is required',
        '/items/1 must be an object',
        '/tags/0 must be a string',
        '/answers must be an object',
        '/a~1b is not known here',
        '?limit is out of range: 1 to 100 is allowed',
        '?limit is given twice',
        '?nope is not known here',
        '?cursor is not percent-encoded',
    ], 'all named in one answer';

    unlike $r->{body}, qr/short"|closed/, 'values are not told back';

    $r = $azora->post('/echo/one', json => { text => undef, x => 1 });
    is_deeply errors_of($r), ['/text is required', '/x is not known here'],
        'null where something is required';

    $r = $azora->post('/echo/all/a', json => { amount => '-1' });
    is_deeply errors_of($r), ['/amount is not an amount such as 12.50'],
        'a negative amount';

    $r = $azora->post('/echo/all/a', json => { text => "a\x{1b}[0m" });
    is_deeply errors_of($r), ['/text has a control character'],
        'a control character';

    $r = $azora->get('/echo/text/%ff');
    is_deeply errors_of($r), ['{text} is not UTF-8'], 'a path not in UTF-8';

    $r = $azora->get('/echo/by/x?' . 'a=1&' x 1900);
    is_problem $r, 422, 'validation-failed', 'a query of 8 kB';
    is scalar @{ $r->{json}{errors} }, 32, '  the first 32 errors';

    my %many = map { ("k$_" => 1) } 1 .. 3000;
    $r = $azora->post('/echo/all/a', json => \%many);
    is_problem $r, 422, 'validation-failed', 'three thousand unknown members';
    is scalar @{ $r->{json}{errors} }, 32, '  the first 32 errors';

    $r = $azora->post('/echo/all/a', json => { 'x' x 5000 => 1 });
    cmp_ok length $r->{body}, '<', 1000, 'a long name is cut';
};


subtest 'content types' => sub {
    for my $type ('text/plain', 'application/x-www-form-urlencoded',
                  'multipart/form-data; boundary=x', 'application/jsonp',
                  'application/json; charset=latin1', 'application/xml', '',
                  'application/json;charset="utf-16"',
                  'application/merge-patch+json')
    {
        is_problem post_raw('/echo/one', '{"text":"a"}',
                            ['Content-Type', $type]),
            415, 'unsupported-media-type', "'$type'";
    }

    for my $type ('application/json; charset=utf-8', 'Application/JSON',
                  'application/json;charset=UTF-8', 'application/json ; a=b',
                  'application/json; charset="utf-8"; a=b')
    {
        is post_raw('/echo/one', '{"text":"a"}', ['Content-Type', $type])
            ->{status}, 200, "'$type' is fine";
    }

    is $azora->patch('/echo/all/a', body => '{}', headers => [
        ['Content-Type', 'application/merge-patch+json']])->{status}, 200,
        'a merge patch';

    is_problem post_raw('/echo/one', '{"text":"a"}', $JSON,
                        ['Content-Encoding', 'gzip']),
        415, 'unsupported-media-type', 'a compressed body';
    is post_raw('/echo/one', '{"text":"a"}', $JSON,
                ['Content-Encoding', 'identity'])->{status}, 200, 'identity';
    is_problem $azora->post('/echo/one', body => '{"text":"a"}'),
        415, 'unsupported-media-type', 'no type';
};


subtest 'bodies that nobody asked for' => sub {
    for my $method (qw(GET POST DELETE)) {
        is_problem $azora->request($method, '/echo/none', body => '{"a":1}',
                                   headers => [$JSON]),
            400, 'unexpected-body', $method;
        is $azora->request($method, '/echo/none', body => '{}')->{status},
            200, "$method with an empty object";
        is $azora->request($method, '/echo/none', body => '')->{status}, 200,
            "$method with nothing";
    }

    is_problem $azora->post('/echo/none', body => "\0\1\2"), 400,
        'unexpected-body', 'no JSON either';
};


subtest 'sizes' => sub {
    my $fits = '{"answers":{"a":"' . 'x' x 65_000 . '"}}';
    is post_raw('/echo/all/a', $fits)->{status}, 200,
        '65 kB, which NGINX keeps in a file';

    my $r = post_raw('/echo/all/a',
                     '{"answers":{"a":"' . 'x' x 66_000 . '"}}');
    is_deeply errors_of($r),
        ['/answers is too long: 0 to 65536 bytes are allowed'],
        'an object beyond its bound';

    is_problem post_raw('/echo/one', '{"text":"' . 'x' x 262_200 . '"}'), 413,
        'body-too-large', 'more than azora_body_max';

    my $http = $azora->connect;
    $http->write("POST /echo/one HTTP/1.1\r\nHost: a\r\n"
                 . "Content-Type: application/json\r\n"
                 . "Content-Length: 300000\r\n\r\n");
    is_problem $http->read_response, 413, 'body-too-large',
        'said by Content-Length: refused before it comes';

    for my $length (10_000_000, '9223372036854775807') {
        $http = $azora->connect;
        $http->write("POST /echo/one HTTP/1.1\r\nHost: a\r\n"
                     . "Content-Type: application/json\r\n"
                     . "Content-Length: $length\r\n\r\n" . 'x' x 100_000);
        is_problem $http->read_response, 413, 'body-too-large',
            "$length bytes";
    }
};


subtest 'chunked bodies' => sub {
    my $chunked = sub {
        my ($path, @chunks) = @_;
        my $http = $azora->connect;
        $http->write("POST $path HTTP/1.1\r\nHost: a\r\n"
                     . "Content-Type: application/json\r\n"
                     . "Transfer-Encoding: chunked\r\n\r\n");
        $http->write(sprintf "%x\r\n%s\r\n", length, $_) for @chunks;
        $http->write("0\r\n\r\n");
        return $http->read_response;
    };

    is $chunked->('/echo/one', '{"te', 'xt":', '"abc"}')->{json}{values}{text},
        'abc', 'in three pieces';
    is $chunked->('/echo/all/a', split //, '{"text":"abc"}')
        ->{json}{values}{text}, 'abc', 'byte by byte';
    is $chunked->('/echo/all/a')->{status}, 200, 'an empty one';
    is_problem $chunked->('/echo/one'), 422, 'validation-failed',
        'an empty one where something is required';
    is_problem $chunked->('/echo/none', '[1]'), 400, 'unexpected-body',
        'where nothing is wanted';
    is length $chunked->('/echo/all/a', '{"answers":{"a":"',
                         ('x' x 10_000) x 6, '"}}')->{json}{values}{answers},
        60_008, '60 kB through a file';
    is_problem $chunked->('/echo/one', '{"text":"', ('x' x 30_000) x 9, '"}'),
        413, 'body-too-large', 'more than azora_body_max';

    my $http = $azora->connect;
    $http->write("POST /echo/one HTTP/1.1\r\nHost: a\r\n"
                 . "Content-Type: application/json\r\n"
                 . "Transfer-Encoding: chunked\r\n\r\nzz\r\n");
    is_problem $http->read_response, 400, 'bad-request', 'no chunk at all';
};


subtest 'what NGINX refuses by itself' => sub {
    my $raw = sub {
        my ($bytes) = @_;
        my $http = $azora->connect;
        $http->write($bytes);
        return $http->read_response;
    };

    is_problem $raw->("GET /echo/by/x?" . 'a' x 9000
                      . " HTTP/1.1\r\nHost: a\r\n\r\n"),
        414, 'uri-too-long', 'an address of 9 kB';
    is_problem $raw->("GET /echo/by/x HTTP/1.1\r\nHost: a\r\nX: "
                      . 'a' x 9000 . "\r\n\r\n"),
        400, 'bad-request', 'a header of 9 kB';
    is_problem $raw->("GET /echo/by/x HTTP/1.1\r\nHost: a\r\n"
                      . "X: @{['a' x 7000]}\r\n" x 6 . "\r\n"),
        400, 'bad-request', '42 kB of headers';
    is_problem $raw->("GET /echo/by/x HTTP/1.1\r\n\r\n"),
        400, 'bad-request', 'no Host';
    is_problem $raw->("POST /echo/one HTTP/1.1\r\nHost: a\r\n"
                      . "Content-Length: x\r\n\r\n"),
        400, 'bad-request', 'a length that is none';
    is_problem $raw->("POST /echo/one HTTP/1.1\r\nHost: a\r\n"
                      . "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"
                      . "\r\n{}"),
        400, 'bad-request', 'two lengths';
    is_problem $raw->("POST /echo/one HTTP/1.1\r\nHost: a\r\n"
                      . "Transfer-Encoding: gzip, chunked\r\n\r\n"),
        501, 'not-implemented', 'an unknown coding';
    is_problem $raw->("GET /echo/by/x HTTP/3.0\r\nHost: a\r\n\r\n"),
        505, 'http-version-not-supported', 'another version';
};


subtest 'connections' => sub {
    my $http = $azora->connect;
    my $request = "POST /echo/one HTTP/1.1\r\nHost: a\r\n"
        . "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s";
    my @bodies = map { qq({"text":"number $_"}) } 1 .. 20;

    $http->write(join '', map { sprintf $request, length, $_ } @bodies);

    my @texts = map { $http->read_response->{json}{values}{text} } @bodies;
    is_deeply \@texts, [map { "number $_" } 1 .. 20],
        'twenty requests in one packet';

    for my $wrong ('{"text":1}', '{"nope":1}') {
        $http->write(sprintf $request, length $wrong, $wrong);
        is $http->read_response->{status}, 422, 'a refusal';
    }

    $http->write(sprintf $request, length $bodies[0], $bodies[0]);
    is $http->read_response->{status}, 200,
        '  leaves the connection usable';

    $http = $azora->connect;
    $http->write(sprintf $request, length $bodies[0], $bodies[0]);
    $http->shutdown_write;
    is $http->read_response->{status}, 200,
        'the client closed its side behind the request';

    $http = $azora->connect;
    $http->write(sprintf $request, 100, '{"text"');
    $http->shutdown_write;
    ok $http->closed(5 * $azora->patience), 'it closed within the body';

    for my $split (1, 30, 80, 100) {
        $http = $azora->connect;
        my $bytes = sprintf $request, length $bodies[0], $bodies[0];
        $http->write(substr $bytes, 0, $split);
        select undef, undef, undef, 0.05;
        $http->write(substr $bytes, $split);
        is $http->read_response->{json}{values}{text}, 'number 1',
            "a packet ends after $split bytes";
    }

    for my $cut (20, 60, 110) {
        $http = $azora->connect;
        $http->write(substr sprintf($request, 100, $bodies[0]), 0, $cut);
        $http->reset;
    }

    $http = $azora->connect;
    $http->write("POST /echo/one HTTP/1.1\r\nHost: a\r\n"
                 . "Content-Type: application/json\r\nContent-Length: 12\r\n"
                 . "Expect: 100-continue\r\n\r\n");
    select undef, undef, undef, 0.05;
    $http->write('{"text":"a"}');
    is $http->read_response->{status}, 200, 'Expect: 100-continue';
};


subtest 'a body that stops coming' => sub {
    my $slow = Azora::Echo->start(workers => 1, server =>
        'location = /echo/one { azora_api on; client_body_timeout 1s; }');

    my $http = $slow->connect;
    $http->write("POST /echo/one HTTP/1.1\r\nHost: a\r\n"
                 . "Content-Type: application/json\r\nContent-Length: 100\r\n"
                 . "\r\n{\"text\":");
    my $start = time;

    is_problem $http->read_response, 408, 'request-timeout', 'an answer';
    cmp_ok time - $start, '>=', 0.9, '  after client_body_timeout';
    cmp_ok time - $start, '<', 5 * $slow->patience, '  and not much later';
    ok $http->closed(10 * $slow->patience), '  and the end';

    $http = $slow->connect;
    $http->write("POST /echo/one HTTP/1.1\r\nHost: a\r\n"
                 . "Content-Type: application/json\r\nContent-Length: 12\r\n"
                 . "\r\n");

    for my $byte (split //, '{"text":"a"}') {
        # NGINX moves a timer only by more than 0.3 s
        select undef, undef, undef, 0.15;
        $http->write($byte);
    }

    is $http->read_response->{status}, 200,
        'a slow one that does not stop is waited for';
};


is_deeply [$azora->worker_pids], \@workers, 'the same workers as before';
is_deeply [grep { /\[crit\]|\[error\].*azora:/ }
           split /\n/, $azora->error_log], [], 'no errors of ours';

done_testing;

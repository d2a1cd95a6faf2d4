#!/usr/bin/perl

# JSON requests of which members are removed or set before a service sees
# them: exactly those, however the body came, and what cannot be looked into
# does not pass.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Story qw(is_problem);
use Azora::Test;
use Azora::Upstream;
use Test::More;
use Time::HiRes qw(sleep time);

my $lms = Azora::Upstream->start;

my $azora = Azora::Test->start(
    workers => 1,
    http => <<"HTTP",
upstream lms { server 127.0.0.1:$lms->{port}; keepalive 4; }
HTTP
    server => <<"SERVER",
proxy_http_version 1.1;
proxy_set_header Connection "";
location /in/ {
    client_body_buffer_size 2k;
    azora_request_json_remove /admin;
    azora_request_json_remove /items/*/price;
    azora_request_json_set /via \$arg_via;
    azora_json_max 100k;
    proxy_pass http://lms;

    location /in/inner/ {
        azora_request_json_remove /inner;
        proxy_pass http://lms;
    }
    location /in/stream/ {
        proxy_request_buffering off;
        proxy_pass http://lms;
    }
    location /in/lenient/ {
        azora_request_json_other pass;
        proxy_pass http://lms;
    }
    location /in/next/ {
        proxy_next_upstream error http_503 non_idempotent;
        proxy_pass http://twice;
    }
    location /in/guarded/ {
        azora_auth required;
        proxy_pass http://lms;
    }
}
location /wrong/ {
    azora_request_json_set /via \$arg_via json;
    proxy_pass http://lms;
}
location /both/ {
    azora_request_json_remove /in;
    azora_json_remove /body;
    proxy_pass http://lms;
}
SERVER
    edit => sub {
        s/upstream lms/upstream twice {
    server 127.0.0.1:$lms->{port} max_fails=0;
    server 127.0.0.1:$lms->{port} max_fails=0;
}
upstream lms/;
    },
);


# What the service got of a request, which it tells.
sub seen {
    my ($r) = @_;
    is $r->{status}, 200, 'the service answers' or diag $r->{body};
    my $seen = $r->{json};
    is_deeply $seen->{headers}{'content-length'}, [length $seen->{body}],
        'is told the right length';
    is $seen->{headers}{'transfer-encoding'}, undef, 'once';
    return $seen->{body};
}


sub send_json {
    my ($path, $body, %more) = @_;
    return $azora->post($path, body => $body, headers => [
        ['Content-Type', $more{type} // 'application/json'],
        @{ $more{headers} || [] }]);
}


# The body in chunks of so many bytes.
sub chunked {
    my ($path, $body, $size) = @_;
    my $http = $azora->connect;
    $http->write("POST $path HTTP/1.1\r\nHost: localhost\r\n"
                 . "Content-Type: application/json\r\n"
                 . "Transfer-Encoding: chunked\r\n\r\n");
    while (length $body) {
        my $part = substr $body, 0, $size, '';
        $http->write(sprintf "%x\r\n%s\r\n", length $part, $part);
        sleep 0.01 if $size < 20;
    }
    $http->write("0\r\n\r\n");
    return $http->read_response;
}


my $in = '{"admin":true,"n":1.00,"items":[{"price":1,"id":7}]}';
my $out = '{"n":1.00,"items":[{"id":7}],"via":"x"}';


subtest 'members' => sub {
    is seen(send_json('/in/a?via=x', $in)), $out, 'are removed and set';
    is seen(send_json('/in/a?via=x', '{"\\u0061dmin":1,"admin":2}')),
        '{"via":"x"}', 'also written otherwise, or twice';
    is seen(send_json('/in/a?via="},', '{}')), '{"via":"\\"},"}',
        'what a client sends stays text';
    is seen(send_json('/in/a', '[1]')), '[1]', 'what has no members stays';
    is seen(send_json('/in/inner/a', '{"inner":1,"admin":2}')), '{"admin":2}',
        'an inner level replaces the outer one';
    is seen(send_json('/in/a?via=x', $in, type =>
            'Application/JSON; charset="UTF-8"')), $out, 'in UTF-8';
};


subtest 'however the body comes' => sub {
    is seen(chunked('/in/a?via=x', $in, 4096)), $out, 'in a chunk';
    is seen(chunked('/in/a?via=x', $in, 7)), $out, 'in many';

    my $pad = 'y' x 60_000;
    my $large = qq({"pad":"$pad","admin":1});
    is seen(send_json('/in/a?via=x', $large)), qq({"pad":"$pad","via":"x"}),
        'through a file';
    is seen(chunked('/in/a?via=x', $large, 5000)),
        qq({"pad":"$pad","via":"x"}), 'in chunks through a file';
    is seen(send_json('/in/stream/a?via=x', $in)), $out,
        'where NGINX would not wait for it';
    is seen(chunked('/in/stream/a?via=x', $in, 9)), $out,
        'nor know its length';

    my $http = $azora->connect;
    my $body = $in;
    for (1 .. 3) {
        is seen($azora->post('/in/a?via=x', body => $in, connection => $http,
            headers => [['Content-Type', 'application/json']])), $out,
            'one after the other on one connection';
    }

    my $r = $azora->get('/in/a?via=x');
    is "$r->{status} $r->{json}{body}", '200 ', 'none stays none';
    is +(grep { $_->{path} =~ m{^/in/} && $_->{body} =~ /admin"?:/
                && $_->{path} !~ /inner/ } $lms->requests), 0,
        'the service never saw what was removed';
};


subtest 'a try that is repeated' => sub {
    $lms->mode('fail');
    my $before = $lms->count;
    is send_json('/in/next/a?via=x', $in)->{status}, 503, 'fails twice';
    my @got = $lms->requests;
    splice @got, 0, $before;
    is_deeply [map { $_->{body} } @got], [$out, $out], 'with the same body';
    $lms->mode('ok');
};


subtest 'what does not pass' => sub {
    my $before = $lms->count;
    my $form = 'application/x-www-form-urlencoded';

    is_problem send_json('/in/a', 'admin=1', type => $form), 415,
        'unsupported-media-type';
    is_problem send_json('/in/a', $in, type => 'text/plain'), 415,
        'unsupported-media-type';
    is_problem send_json('/in/a', $in,
                         type => 'application/json; charset=utf-16'), 415,
        'unsupported-media-type';
    is_problem send_json('/in/a', $in,
                         headers => [['Content-Encoding', 'gzip']]), 415,
        'unsupported-media-type';
    is_problem send_json('/in/a', '{"admin":1'), 400, 'invalid-json';
    is_problem send_json('/in/a', "{\"a\":\"\xff\"}"), 400, 'invalid-json';
    is_problem send_json('/in/a', '"' . 'x' x 102_400 . '"'), 413,
        'body-too-large';
    is_problem chunked('/in/a', '"' . 'x' x 102_400 . '"', 20_000), 413,
        'body-too-large';
    is_problem send_json('/in/guarded/a', $in), 401,
        'authentication-required';
    is $lms->count, $before, 'nothing of it reached the service';

    my $mark = $azora->mark;
    is_problem send_json('/wrong/a?via={', '{}'), 500, 'internal-error';
    like $azora->error_log($mark),
        qr/value of "azora_request_json_set" is no JSON/,
        'a configuration that makes no JSON says why';
};


subtest 'where what is no JSON passes' => sub {
    my $form = 'application/x-www-form-urlencoded';
    is seen(send_json('/in/lenient/a', 'admin=1', type => $form)), 'admin=1',
        'it passes as it is';
    is seen(send_json('/in/lenient/a?via=x', $in)), $out,
        'what is JSON is changed';
    is_problem send_json('/in/lenient/a', '{'), 400, 'invalid-json';
};


subtest 'what calls itself JSON in another way does not' => sub {
    my $before = $lms->count;

    is_problem send_json('/in/lenient/a', $in, type => $_), 415,
        'unsupported-media-type'
        for 'application/json; charset=utf-16', 'application/vnd.api+json',
            'text/JSON';
    is_problem send_json('/in/lenient/a', $in,
                         headers => [['Content-Encoding', 'identity']]), 415,
        'unsupported-media-type';
    is_problem send_json('/in/lenient/a', $in, type => 'text/plain',
                         headers => [['Content-Type', 'application/json']]),
        415, 'unsupported-media-type';
    is $lms->count, $before, 'the service would have believed it';
};


subtest 'the answer as well' => sub {
    my $r = send_json('/both/a', '{"in":1,"out":2}');
    is $r->{status}, 200, 'is changed';
    is $r->{json}{body}, undef, 'on its way back';
    my ($last) = ($lms->requests)[-1];
    is $last->{body}, '{"out":2}', 'and the request on its way there';
};


subtest 'an answer that is cut' => sub {
    my $began = time;
    my $r = send_json('/both/mode/body', '{"in":1}');
    is_problem $r, 502, 'bad-gateway';
    cmp_ok time - $began, '<', 4 * $azora->patience, 'is told at once';
};


subtest 'a client that is slow, and one that leaves' => sub {
    my $slow = $azora->connect;
    my $length = length $in;
    $slow->write("POST /in/a?via=x HTTP/1.1\r\nHost: localhost\r\n"
                 . "Content-Type: application/json\r\n"
                 . "Content-Length: $length\r\n\r\n" . substr $in, 0, 9);
    my $gone = $azora->connect;
    $gone->write("POST /in/gone HTTP/1.1\r\nHost: localhost\r\n"
                 . "Content-Type: application/json\r\n"
                 . "Content-Length: $length\r\n\r\n{");
    sleep 0.1;
    my $began = time;
    is seen(send_json('/in/a?via=x', $in)), $out, 'hold nobody up';
    cmp_ok time - $began, '<', 4 * $azora->patience, 'really';
    $gone->reset;
    $slow->write(substr $in, 9);
    is seen($slow->read_response), $out, 'and the slow one is served';
    is +(grep { $_->{path} eq '/in/gone' } $lms->requests), 0,
        'what was not complete is not passed on';
};


done_testing;

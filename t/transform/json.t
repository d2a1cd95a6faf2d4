#!/usr/bin/perl

# JSON answers of which members are removed or set: exactly those, and what
# cannot be changed is not sent.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Story qw(is_problem);
use Azora::Test;
use Azora::Process qw(spew);
use Test::More;

my $R = 'azora_json_remove';
my $S = 'azora_json_set';

# what is answered, what is done to it, what comes out
my @table = (
    ['{"a":1,"b":2}', "$R /a;", '{"b":2}'],
    ['{"a":1,"b":2}', "$R /b;", '{"a":1}'],
    ['{"a":1,"b":2,"c":3}', "$R /b;", '{"a":1,"c":3}'],
    ['{ "a" : 1 , "b" : [ 2 ] }', "$R /b;", '{ "a" : 1  }'],
    ['{ "a" : {"x":"}"} , "b" : 2 }', "$R /a;", '{"b" : 2 }'],
    ['{"a":1}', "$R /a;", '{}'],
    ['{"a":1}', "$R /z;", '{"a":1}'],
    ['{}', "$R /a;", '{}'],
    ['{"a":1,"a":2,"b":3}', "$R /a;", '{"b":3}'],
    ['{"b":3,"a":1,"a":2}', "$R /a;", '{"b":3}'],
    ['{"a":1,"a":2}', "$R /a;", '{}'],
    ['{"a":1,"b":2,"a":3}', "$R /a;", '{"b":2}'],
    ['{"\\u0061":1,"b":2}', "$R /a;", '{"b":2}'],
    ['{"x":"\\"a\\":1","a":2}', "$R /a;", '{"x":"\\"a\\":1"}'],
    ['{"n":123456789012345678901234567890,"f":0.10,"a":1}', "$R /a;",
     '{"n":123456789012345678901234567890,"f":0.10}'],
    ['{"a":{"b":{"c":1,"d":2}}}', "$R /a/b/c;", '{"a":{"b":{"d":2}}}'],
    ['{"a":{"b":1},"c":{"b":1}}', "$R /a/b;", '{"a":{},"c":{"b":1}}'],
    ['[{"a":1,"b":2},{"a":3},4,[5]]', "$R /*/a;", '[{"b":2},{},4,[5]]'],
    ['[{"a":1},{"a":3}]', "$R /1/a;", '[{"a":1},{}]'],
    ['{"items":[{"k":1,"v":[{"k":2}]}],"next":null}', "$R /items/*/k;",
     '{"items":[{"v":[{"k":2}]}],"next":null}'],
    ['{"a/b":1,"c~d":2}', "$R /a~1b; $R /c~0d;", '{}'],
    ['{"a":1,"b":2,"c":3}', "$R /a; $R /c;", '{"b":2}'],
    ['{"a":1}', "$S /b x;", '{"a":1,"b":"x"}'],
    ['{}', "$S /b x;", '{"b":"x"}'],
    ['{"b":[1,2],"a":1}', "$S /b x;", '{"b":"x","a":1}'],
    ['{"b":1,"b":2}', "$S /b x;", '{"b":"x","b":"x"}'],
    ['[{"a":1},{"b":2}]', "$S /*/b 7 json;", '[{"a":1,"b":7},{"b":7}]'],
    ['{"a":{"b":1}}', "$S /a/c '{\"d\":[]}' json;",
     '{"a":{"b":1,"c":{"d":[]}}}'],
    ['{"a":1}', "$S /x/y 1;", '{"a":1}'],
    ['7', "$S /a 1; $R /b;", '7'],
    ['"text"', "$R /text;", '"text"'],
    ['{"a":1}', "$S /q \$arg_q;", '{"a":1,"q":"1\\",\\"admin\\":\\"1"}'],
);

my $folder = '';
my $locations = join '', map {
    "location = /t/$_ { alias \"\@FOLDER\@/$_\"; types {}"
    . " default_type application/json; $table[$_][1] }\n"
} 0 .. $#table;

my @types = map { "application/json$_" }
    '', ';charset=utf-8', '; profile=x', ' ; odata=full', '; x=y; charset=a',
    '-seq';
$locations .= join '', map {
    "location = /types/$_ { types {} default_type '$types[$_]';"
    . " return 200 '{\"a\":1,\"b\":2}'; }\n"
} 0 .. $#types;

my $azora = Azora::Test->start(workers => 1, edit => sub {
    ($folder) = m{error_log\s+"(.+?)/logs/};
    $folder .= '/tmp/json';
    mkdir $folder, 0755;
    spew("$folder/$_", $table[$_][0]) for 0 .. $#table;
    s/\@FOLDER\@/$folder/g;
}, server => $locations . <<'END');
location = /long {
    default_type application/json; azora_json_remove /a; azora_json_max 10;
    return 200 '{"a":1,"b":"1234567"}';
}
location = /broken {
    default_type application/json; azora_json_remove /a;
    return 200 '{"a":1,"b":}';
}
location = /text {
    default_type text/plain; azora_json_remove /a; return 200 '{"a":1}';
}
location = /wrong {
    default_type application/json; azora_json_set /a $arg_a json;
    return 200 '{"a":1}';
}
location = /refused {
    default_type application/json; azora_json_remove /secret;
    return 403 '{"secret":1,"why":2}';
}
location = /behind {
    proxy_pass http://127.0.0.1:$server_port/plain; azora_json_remove /a;
}
location = /packed {
    proxy_pass http://127.0.0.1:$server_port/gzip; azora_json_remove /a;
}
location = /plain {
    default_type application/json; return 200 '{"a":1,"b":2}';
}
location = /part {
    proxy_pass http://127.0.0.1:$server_port/file; azora_json_remove /a;
}
location = /whole {
    azora_request_header remove Range;
    proxy_pass http://127.0.0.1:$server_port/file; azora_json_remove /a;
}
location = /file {
    alias "@FOLDER@/0"; types {} default_type application/json;
}
location ~ ^/typed/(.+) {
    proxy_pass http://127.0.0.1:$server_port/types/$1; azora_json_remove /a;
}
location = /gzip {
    default_type application/json;
    gzip on; gzip_min_length 1; gzip_types application/json;
    gzip_proxied any; gzip_http_version 1.0;
    return 200 '{"a":1,"b":2}';
}
location = /v1/courses {
    azora_api on;
    azora_json_remove /items/*/summary;
    azora_json_set /route $azora_route;
}
END


for my $n (0 .. $#table) {
    my ($in, $what, $out) = @{ $table[$n] };
    my $r = $azora->get("/t/$n?q=1\",\"admin\":\"1");

    is $r->{body}, $out, "$in: $what" or diag $r->{status};
}


subtest 'the rest of the answer' => sub {
    my $r = $azora->get('/t/0');
    is $r->{headers}{'content-length'}, length $r->{body}, 'its length';
    ok !$r->{headers}{etag} && !$r->{headers}{'last-modified'},
        'no tag of what it was';
    $r = $azora->head('/t/0');
    is $r->{status}, 200, 'HEAD';
    ok !defined $r->{headers}{'content-length'}, 'does not know its length';
    is $azora->get('/t/0', headers => [['Range', 'bytes=0-2']])->{status}, 200,
        'there are no parts of it';

    $r = $azora->get('/refused');
    is "$r->{status} $r->{body}", '403 {"why":2}', 'whatever the status';
    is $azora->get('/text')->{body}, '{"a":1}', 'what is no JSON is left';
};


subtest 'what cannot be changed is not sent' => sub {
    my %why = (
        '/long' => qr/longer than "azora_json_max"/,
        '/broken' => qr/is no JSON/,
        '/wrong?a={' => qr/value of "azora_json_set" is no JSON/,
    );

    for my $path (sort keys %why) {
        my $mark = $azora->mark;
        is_problem $azora->get($path), 502, 'bad-gateway';
        like $azora->error_log($mark), $why{$path}, 'the log says why';
    }
};


subtest 'a service behind' => sub {
    is $azora->get('/behind')->{body}, '{"b":2}', 'is changed';

    my $gzip = [['Accept-Encoding', 'gzip']];
    is $azora->get('/gzip', headers => $gzip)->{headers}{'content-encoding'},
        'gzip', 'one that compresses';
    my $mark = $azora->mark;
    my $r = $azora->get('/packed', headers => $gzip);
    is_problem $r, 502, 'bad-gateway';
    ok !$r->{headers}{'content-encoding'}, 'which is not called compressed';
    like $azora->error_log($mark), qr/compressed cannot be changed/,
        'the log says why';
};


subtest 'a part, which may be JSON itself, is not sent' => sub {
    for my $range ('5-5', '0-12', '5-5,0-0') {
        my $part = [['Range', "bytes=$range"]];
        is $azora->get('/file', headers => $part)->{status}, 206,
            "$range: the service gives it";
        my $mark = $azora->mark;
        my $r = $azora->get('/part', headers => $part);
        is_problem $r, 502, 'bad-gateway';
        ok !$r->{headers}{'content-range'}, 'nor is told of it';
        like $azora->error_log($mark), qr/part of an answer cannot be changed/,
            'the log says why';
    }
    is $azora->get('/part')->{body}, '{"b":2}', 'the whole is';
    my $r = $azora->get('/whole', headers => [['Range', 'bytes=5-5']]);
    is "$r->{status} $r->{body}", '200 {"b":2}', 'also to who asks for a part';
};


subtest 'parameters do not make it another type' => sub {
    for my $n (0 .. $#types - 1) {
        is $azora->get("/typed/$n")->{body}, '{"b":2}', "'$types[$n]'";
    }
    is $azora->get("/typed/$#types")->{body}, '{"a":1,"b":2}',
        'but letters do';
};


subtest 'a row' => sub {
    my $r = $azora->get('/v1/courses?limit=2');
    is $r->{status}, 200, 'is answered';
    is +(grep { exists $_->{summary} } @{ $r->{json}{items} }), 0,
        'without what is removed';
    is +(grep { $_->{title} } @{ $r->{json}{items} }), 2, 'with the rest';
    is $r->{json}{route}, '/v1/courses', 'and what is set';
};


done_testing;

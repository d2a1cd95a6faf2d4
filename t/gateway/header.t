#!/usr/bin/perl

# Headers that are set, renamed and removed, on the way to a service and on
# the way to a client.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until slurp spew);
use Azora::Story qw(is_problem);
use Azora::Test;
use Azora::Upstream;
use File::Temp qw(tempdir);
use Test::More;

my $lms = Azora::Upstream->start;
my $dir = tempdir(CLEANUP => 1);

my $azora = Azora::Test->start(
    workers => 1,
    http => <<"HTTP",
map \$http_x_plan \$grade { gold first; silver second; default ""; }
map \$upstream_http_x_mood \$mood { bad ""; default \$upstream_http_x_mood; }
map \$uri \$raw { "~*(?s)^/there/raw/(.*)\$" \$1; default ""; }
upstream lms { server 127.0.0.1:$lms->{port}; keepalive 4; }
HTTP
    server => <<"SERVER",
proxy_http_version 1.1;
proxy_set_header Connection "";
location /there/ {
    azora_auth optional;
    azora_identity headers;
    azora_request_header rename X-Azora-Subject Remote-User;
    azora_request_header remove X-Internal-*;
    azora_request_header remove Cookie;
    azora_request_header rename X-Old X-New;
    azora_request_header set X-Grade \$grade;
    azora_request_header set X-Plan "\$http_x_plan plan";
    azora_request_header set X-Raw \$raw;
    proxy_pass http://lms;

    location /there/inner/ {
        azora_request_header remove X-Only;
        proxy_pass http://lms;
    }
}
location /first/ {
    azora_request_header rename X-Old X-New;
    try_files /nothing \@then;
}
location \@then {
    azora_request_header rename X-Old X-New;
    proxy_pass http://lms;
}
location /failed/ {
    azora_request_header rename X-Old X-New;
    proxy_intercept_errors on;
    error_page 503 = /first/b;
    proxy_pass http://lms;
}
location /either/ {
    azora_request_header rename X-Old X-New;
    azora_request_header rename X-Older X-New;
    proxy_pass http://lms;
}
location /claimed/ {
    azora_request_header rename X-Claimed Remote-User;
    try_files /nothing /there/claimed;
}
location /twice/ {
    azora_auth optional;
    azora_identity headers;
    mirror /shadow;
    azora_request_header rename X-Azora-Subject Remote-User;
    proxy_pass http://lms;
}
location = /shadow {
    internal;
    proxy_pass http://lms/shadowed;
}
location /back/ {
    azora_response_header remove X-Powered-*;
    azora_response_header remove Server;
    azora_response_header rename X-Old X-New;
    azora_response_header set X-Mood \$mood;
    azora_response_header set X-Frame-Options SAMEORIGIN;
    azora_response_header rename Last-Modified X-Changed;
    azora_security_headers on;
    add_header X-Powered-By nginx always;
    add_header X-Old "1 of \$arg_n" always;
    add_header X-New untrue always;
    add_header X-Mood "\$arg_mood" always;
    add_header Last-Modified "Mon, 01 Jan 2024 00:00:00 GMT" always;
    proxy_pass http://lms;
}
location = /back/moved {
    azora_response_header remove Location;
    return 302 /back/x;
}
location = /back/quiet {
    azora_response_header remove Server;
    azora_response_header remove D*;
    return 200 quiet;
}
location = /back/named {
    azora_response_header set Server lms;
    azora_response_header rename X-Made Date;
    add_header X-Made "Mon, 01 Jan 2024 00:00:00 GMT";
    return 200 named;
}
location = /back/refused {
    azora_auth required;
    azora_response_header set X-Why refused;
    proxy_pass http://lms;
}
SERVER
);


# What the service was told.
sub told {
    my ($path, @headers) = @_;
    my $r = $azora->get($path, headers => \@headers);
    is $r->{status}, 200, 'the service answers' or diag $r->{body};
    return $r->{json}{headers};
}


# All values of a header of the answer.
sub values_of {
    my ($r, $name) = @_;
    return [map { $_->[1] } grep { lc $_->[0] eq lc $name }
            @{ $r->{header_list} }];
}


subtest 'to a service' => sub {
    my $h = told('/there/a', ['X-Internal-Debug', 1], ['x-internal-user', 2],
                 ['X-Internal', 3], ['Cookie', 'a=b'], ['X-Other', 'stays']);
    is_deeply [grep { /^x-internal-/ } sort keys %$h], [],
        'all that begins so is gone';
    is_deeply $h->{'x-internal'}, [3], 'what does not stays';
    is $h->{cookie}, undef, 'so is one of that name';
    is_deeply $h->{'x-other'}, ['stays'], 'others are as they were';

    $h = told('/there/a', ['X-Old', 'one'], ['x-old', 'two'],
              ['X-New', 'forged']);
    is_deeply $h->{'x-new'}, ['one', 'two'], 'a new name, in their order';
    is $h->{'x-old'}, undef, 'in the place of the old one';
    $h = told('/there/a', ['X-New', 'forged']);
    is $h->{'x-new'}, undef, 'and of nothing that a client says';

    $h = told('/there/a', ['X-Plan', 'gold'], ['X-Grade', 'forged']);
    is_deeply $h->{'x-grade'}, ['first'], 'a value of a map';
    is_deeply $h->{'x-plan'}, ['gold plan'], 'and of the header itself';
    $h = told('/there/a', ['X-Plan', 'none'], ['X-Grade', 'forged']);
    is $h->{'x-grade'}, undef, 'an empty one removes it';

    $h = told('/there/inner/a', ['X-Only', 1], ['X-Old', 'one']);
    is $h->{'x-only'}, undef, 'an inner level';
    is_deeply $h->{'x-old'}, ['one'], 'replaces the outer one';
};


subtest 'by way of another location' => sub {
    my $h = told('/first/a', ['X-Old', 'one'], ['X-New', 'forged']);
    is_deeply $h->{'x-new'}, ['one'], 'what was renamed is not lost';
    is $h->{'x-old'}, undef, 'and has one name';

    $h = told('/first/a', ['X-New', 'forged']);
    is $h->{'x-new'}, undef, 'a client has none to rename';

    $h = told('/failed/mode/fail', ['X-Old', 'one'], ['X-New', 'forged']);
    is_deeply $h->{'x-new'}, ['one'], 'nor is it lost behind a failure';

    $h = told('/claimed/a', ['X-Claimed', 'admin'], ['Remote-User', 'admin']);
    is $h->{'remote-user'}, undef,
        'what another renaming put there is not taken for ours';
};


subtest 'two names become one' => sub {
    my $h = told('/either/a', ['X-Old', 'one'], ['X-New', 'forged']);
    is $h->{'x-new'}, undef, 'the later one says what it is';
    $h = told('/either/a', ['X-Old', 'one'], ['X-Older', 'two']);
    is_deeply $h->{'x-new'}, ['two'], 'alone';
};


subtest 'a request that NGINX makes beside it' => sub {
    my $amina = $azora->user('shadowed');
    my @old = $lms->requests;
    $azora->get('/twice/a', token => $amina->{token},
                headers => [['Remote-User', 'admin']]);
    poll_until(10, sub { $lms->count == @old + 2 });

    for my $seen (($lms->requests)[-2, -1]) {
        is_deeply $seen->{headers}{'remote-user'}, [$amina->{id}],
            "$seen->{path}: who calls";
        is $seen->{headers}{authorization}, undef, 'without the token';
    }
};


subtest 'who calls, by another name' => sub {
    my $amina = $azora->user('amina');
    my $r = $azora->get('/there/a', token => $amina->{token},
                        headers => [['Remote-User', 'admin']]);
    is_deeply $r->{json}{headers}{'remote-user'}, [$amina->{id}],
        'is the account';
    is $r->{json}{headers}{'x-azora-subject'}, undef, 'once';
    is_deeply told('/there/a', ['Remote-User', 'admin'])->{'remote-user'},
        undef, 'and nobody when nobody is logged in';
};


subtest 'a value cannot begin another header' => sub {
    is_deeply told('/there/raw/x%20y')->{'x-raw'}, ['x y'],
        'what a path says may be one';
    my $mark = $azora->mark;
    my $h = told('/there/raw/x%0d%0aX-Admin:%20yes');
    is $h->{'x-admin'}, undef, 'a client\'s line break does not';
    is $h->{'x-raw'}, undef, 'the header is left away';
    like $azora->error_log($mark), qr/"X-Raw" is left away/, 'with a word';
};


subtest 'to a client' => sub {
    my $r = $azora->get('/back/a?n=2&mood=good');
    is $r->{status}, 200, 'the service answers';
    is_deeply values_of($r, 'X-Powered-By'), [], 'removed';
    is_deeply values_of($r, 'X-Old'), [], 'renamed';
    is_deeply values_of($r, 'X-New'), ['1 of 2'], 'to the only one';
    is_deeply values_of($r, 'X-Mood'), [], 'a map says nothing';
    is_deeply values_of($r, 'X-Frame-Options'), ['SAMEORIGIN'],
        'in the place of what we set';
    is_deeply values_of($r, 'Last-Modified'), [], 'NGINX does not';
    is_deeply values_of($r, 'X-Changed'), ['Mon, 01 Jan 2024 00:00:00 GMT'],
        'write it again';

    $r = $azora->get('/back/moved');
    is $r->{status}, 302, 'a redirect';
    is_deeply values_of($r, 'Location'), [], 'to nowhere';

    $r = $azora->get('/back/quiet');
    is "$r->{status} $r->{body}", '200 quiet', 'an answer without';
    is_deeply values_of($r, $_), [], "its $_" for 'Server', 'Date';
    $r = $azora->get('/back/named');
    is "$r->{status} $r->{body}", '200 named', 'and one with';
    is_deeply values_of($r, 'Server'), ['lms'], 'a Server of ours alone';
    is_deeply values_of($r, 'Date'), ['Mon, 01 Jan 2024 00:00:00 GMT'],
        'and another Date';

    $r = $azora->get('/back/refused');
    is_problem $r, 401, 'authentication-required';
    is_deeply values_of($r, 'X-Why'), ['refused'], 'problems as well';
};


subtest 'what nginx -t says' => sub {
    my %wrong = (
        'azora_request_header set Content-Length 1;' => qr/frames a message/,
        'azora_request_header rename X-A Host;' => qr/frames a message/,
        'azora_request_header remove Content-*;' => qr/frames a message/,
        'azora_response_header remove t*;' => qr/frames a message/,
        'azora_request_header remove "X A";' => qr/takes names/,
        'azora_request_header remove *;' => qr/takes names/,
        'azora_request_header set X-*  a;' => qr/takes names/,
        'azora_response_header remove Content-Type;' => qr/frames a message/,
        'azora_response_header remove A B;' => qr/takes set NAME/,
        'azora_response_header add A B;' => qr/takes set NAME/,
        'azora_response_header set A;' => qr/takes set NAME/,
    );

    for my $line (sort keys %wrong) {
        my $conf = slurp("$azora->{dir}/nginx.conf")
            =~ s/(location \/back\/ \{)/$1 $line/r;
        spew("$dir/nginx.conf", $conf);
        my @command = (Azora::Test::nginx_binary(), '-t', '-e', "$dir/log",
                       '-p', "$azora->{dir}/", '-c', "$dir/nginx.conf");
        isnt Azora::Process::run_to_file("$dir/out", $dir, @command), 0,
            "refused: $line";
        like slurp("$dir/out") . slurp("$dir/log"), $wrong{$line}, 'and why';
    }
};


done_testing;

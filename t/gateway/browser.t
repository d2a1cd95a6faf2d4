#!/usr/bin/perl

# What browsers are told: security headers, CORS, and that a TLS connection is
# for one name.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until slurp);
use Azora::Story qw(is_problem);
use Azora::Test;
use Azora::Upstream;
use File::Temp qw(tempdir);
use IO::Socket::INET;
use Test::More;

my $lms = Azora::Upstream->start;
my $dir = tempdir(CLEANUP => 1);
my $free = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
my $tls = $free->sockport;
close $free;

system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    . " -subj /CN=a.example -days 2 -keyout $dir/key -out $dir/cert"
    . " 2>/dev/null") == 0 or die "openssl\n";

my $azora = Azora::Test->start(
    workers => 1,
    http => <<"HTTP",
server {
    listen 127.0.0.1:$tls ssl;
    server_name a.example b.example;
    ssl_certificate $dir/cert;
    ssl_certificate_key $dir/key;
    azora_host_sni on;
    azora_problem on;
    azora_security_headers on;
    location / { return 200 "fine"; }
}
HTTP
    server => <<"SERVER",
location /one/ {
    azora_auth required;
    azora_cors https://app.example.org https://*.azora.org credentials;
    proxy_pass http://127.0.0.1:$lms->{port};
}
location /both/ {
    azora_cors https://app.example.org;
    proxy_pass http://127.0.0.1:\$server_port/theirs/;
}
location /theirs/ {
    add_header Access-Control-Allow-Origin \$http_origin;
    add_header Access-Control-Allow-Credentials true;
    add_header Access-Control-Expose-Headers X-Theirs;
    return 200 "fine";
}
location /own/ {
    add_header X-Frame-Options SAMEORIGIN;
    proxy_pass http://127.0.0.1:$lms->{port};
}
location /none/ {
    azora_security_headers off;
    proxy_pass http://127.0.0.1:$lms->{port};
}
SERVER
);

my @preflight = (['Origin', 'https://any.example'],
                 ['Access-Control-Request-Method', 'POST'],
                 ['Access-Control-Request-Headers', 'authorization']);


sub names {
    my ($r, $name) = @_;
    return scalar grep { lc $_->[0] eq $name } @{ $r->{header_list} };
}


subtest 'security headers' => sub {
    my $r = $azora->get('/v1/courses');
    my $h = $r->{headers};

    is $h->{'x-content-type-options'}, 'nosniff', 'nosniff';
    is $h->{'x-frame-options'}, 'DENY', 'no frames';
    is $h->{'referrer-policy'}, 'no-referrer', 'no referrer';
    is $h->{'cross-origin-resource-policy'}, 'same-origin', 'CORP';
    is $h->{'cross-origin-opener-policy'}, 'same-origin', 'COOP';
    like $h->{'content-security-policy'}, qr/default-src 'none'/, 'CSP';
    is $h->{'strict-transport-security'}, undef, 'no HSTS without TLS';
    is names($r, 'x-frame-options'), 1, 'each once';

    $r = $azora->get('/v1/nothing');
    is $r->{headers}{'x-content-type-options'}, 'nosniff', 'on problems, too';
    like $r->{headers}{'content-security-policy'}, qr/none/, 'with a CSP';

    $r = $azora->get('/docs');
    is names($r, 'content-security-policy'), 1, 'a page keeps its own policy';
    unlike $r->{headers}{'content-security-policy'},
        qr/\Adefault-src 'none'; frame-ancestors 'none'\z/,
        'which is another';
    is $azora->get('/none/x')->{headers}{'x-frame-options'}, undef, 'or none';
};


subtest 'the API for pages of any site' => sub {
    my $r = $azora->request('OPTIONS', '/v1/courses', headers => \@preflight);
    my $h = $r->{headers};

    is $r->{status}, 204, 'a preflight needs no token';
    is $h->{'access-control-allow-origin'}, '*', 'any origin';
    like $h->{'access-control-allow-methods'}, qr/\bPATCH\b/, 'methods';
    like $h->{'access-control-allow-headers'}, qr/\bIdempotency-Key\b/,
        'headers';
    is $h->{'access-control-max-age'}, 600, 'for ten minutes';
    is $h->{'access-control-allow-credentials'}, undef, 'without cookies';

    $r = $azora->get('/v1/courses', headers => [$preflight[0]]);
    is $r->{headers}{'access-control-allow-origin'}, '*', 'then the answer';
    like $r->{headers}{'access-control-expose-headers'}, qr/RateLimit/,
        'whose headers the page may read';

    $r = $azora->get('/v1/me', headers => [$preflight[0]]);
    is_problem($r, 401, 'authentication-required');
    is $r->{headers}{'access-control-allow-origin'}, '*',
        'a page may read why it was refused';

    $r = $azora->get('/v1/courses');
    is $r->{headers}{'access-control-allow-origin'}, undef,
        'nobody else is told';
};


subtest 'a service for pages of some sites' => sub {
    my $ask = sub {
        my ($origin, %opts) = @_;
        return $azora->request('OPTIONS', '/one/x', headers => [
            ['Origin', $origin], @preflight[1, 2]])->{headers};
    };
    my $before = $lms->count;

    for my $mine ('https://app.example.org', 'https://x.azora.org',
                  'https://a.b.azora.org', 'https://APP.example.org')
    {
        my $h = $ask->($mine);
        is $h->{'access-control-allow-origin'}, $mine, "$mine may";
        is $h->{'access-control-allow-credentials'}, 'true', 'with cookies';
        is $h->{vary}, 'Origin', 'and caches are told';
    }

    for my $other ('https://app.example.org.evil.example', 'null',
                   'http://app.example.org', 'https://azora.org',
                   'https://.azora.org', 'https://evil.example/.azora.org',
                   'https://xazora.org', 'https://app.example.org:444', '')
    {
        my $h = $ask->($other);
        is $h->{'access-control-allow-origin'}, undef, "'$other' may not";
        is $h->{'access-control-allow-credentials'}, undef, 'nor cookies';
    }

    is $lms->count, $before, 'preflights never reach the service';
    my $r = $azora->request('OPTIONS', '/one/x');
    is_problem($r, 401, 'authentication-required');
};


subtest 'a service that lets in others' => sub {
    my $r = $azora->get('/theirs/', headers => [['Origin', 'https://e.e']]);
    is $r->{headers}{'access-control-allow-origin'}, 'https://e.e', 'alone';

    $r = $azora->get('/both/', headers => [['Origin', 'https://e.e']]);
    is names($r, 'access-control-allow-origin'), 0, 'does not decide';
    is names($r, 'access-control-allow-credentials'), 0, 'about cookies either';

    $r = $azora->get('/both/', headers => [
        ['Origin', 'https://app.example.org']]);
    is names($r, 'access-control-allow-origin'), 1, 'who may is told once';
    is names($r, 'access-control-allow-credentials'), 0, 'as we say';
    is names($r, 'access-control-expose-headers'), 2, 'the rest is added to';
};


subtest 'a header of one\'s own' => sub {
    my $r = $azora->get('/own/x');
    is_deeply [map { $_->[1] } grep { lc $_->[0] eq 'x-frame-options' }
               @{ $r->{header_list} }], ['SAMEORIGIN'],
        'stands in the place of ours';
    is $r->{headers}{'referrer-policy'}, 'no-referrer', 'the others stay';
};


subtest 'Host is the name of the TLS connection' => sub {
    my $ask = sub {
        my ($sni, $host) = @_;
        my $name = $sni ? "-servername $sni" : '-noservername';
        my $in = "$dir/in";
        Azora::Process::spew($in, "GET / HTTP/1.1\r\nHost: $host\r\n"
                             . "Connection: close\r\n\r\n");
        my $command = "timeout 20 openssl s_client -quiet $name"
            . " -connect 127.0.0.1:$tls < $in 2>/dev/null";
        return scalar `$command`;
    };

    my $same = $ask->('a.example', 'a.example');
    like $same, qr{^HTTP/1.1 200 }, 'the same name';
    like $same, qr/^Strict-Transport-Security: max-age=31536000/m,
        'with HSTS';
    like $ask->('a.example', 'A.Example:443'), qr{^HTTP/1.1 200 },
        'in any case, with a port';
    like $ask->('a.example', 'b.example'), qr{^HTTP/1.1 421 },
        'another name is misdirected';
    like $ask->('a.example', 'b.example'), qr{misdirected-request},
        'as a problem';
    like $ask->('', 'b.example'), qr{^HTTP/1.1 200 }, 'who names none may';
};


subtest 'what nginx -t says' => sub {
    my %wrong = (
        'azora_cors "*" credentials;' => qr/neither credentials nor/,
        'azora_cors app.example.org;' => qr/takes off/,
        'azora_cors credentials;' => qr/names no origin/,
        'azora_cors "*" max_age=x;' => qr/max_age/,
        'azora_identity yes;' => qr/invalid value "yes"/,
    );

    for my $line (sort keys %wrong) {
        my $conf = slurp("$azora->{dir}/nginx.conf")
            =~ s/(location \/none\/ \{)/$1 $line/r;
        Azora::Process::spew("$dir/nginx.conf", $conf);
        my @command = (Azora::Test::nginx_binary(), '-t', '-e', "$dir/log",
                       '-p', "$azora->{dir}/", '-c', "$dir/nginx.conf");
        isnt Azora::Process::run_to_file("$dir/out", $dir, @command), 0,
            "refused: $line";
        like slurp("$dir/out") . slurp("$dir/log"), $wrong{$line}, 'and why';
    }
};


done_testing;

#!/usr/bin/perl

# A service that is not Azora's own, behind an ordinary proxy_pass: who may,
# how often, and what it is told of who calls.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Story qw(is_problem);
use Azora::Test;
use Azora::Upstream;
use File::Temp qw(tempdir);
use Test::More;

my $lms = Azora::Upstream->start;

my $pages = tempdir('/tmp/azora-pages-XXXXXX', CLEANUP => 1);
chmod 0777, $pages;

my $azora = Azora::Test->start(
    workers => 2,
    http => <<"HTTP",
azora_limit_zone name=lms size=1m;
underscores_in_headers on;
ignore_invalid_headers off;
upstream lms { server 127.0.0.1:$lms->{port}; keepalive 8; }
proxy_cache_path $pages keys_zone=pages:1m;
HTTP
    server => <<"SERVER",
location /lms/ {
    include "$Azora::Test::ROOT/conf/azora/gateway.conf";
    azora_limit zone=lms key=subject rate=12r/d;
    proxy_pass http://lms;
}
location /token/ {
    azora_auth required;
    azora_identity jwt;
    azora_identity_audience lms;
    proxy_pass http://lms;
}
location /reports/ {
    azora_auth required;
    azora_scope "audit:everything";
    proxy_pass http://lms;
}
location /open/ {
    azora_auth optional;
    azora_identity headers;
    proxy_pass http://lms;
}
location /plain/ { proxy_pass http://lms; }
location /page/ {
    proxy_cache pages;
    proxy_cache_valid 404 1m;
    add_header X-Cache \$upstream_cache_status always;
    proxy_pass http://127.0.0.1:\$server_port/theirs/;
}
location /theirs/ {
    azora_problem off;
    default_type text/html;
    return 404 "<p>Not here.</p>";
}
location /moved/ {
    azora_auth required;
    azora_identity headers;
    try_files /nowhere /open/moved;
}
SERVER
);

my $amina = $azora->user('amina');
my @claimed = map { [$_, 'admin'] }
    qw(X-Azora-Subject x-azora-roles X-AZORA-SCOPE X_Azora_Subject
       X-Azora-Identity X-Azora-Anything);


# What the service saw of the last request.
sub seen {
    my ($r) = @_;
    is $r->{status}, 200, 'the service answers' or diag $r->{body};
    return $r->{json}{headers};
}


sub claims {
    my ($token, $part) = @_;
    my $text = (split /\./, $token)[$part] =~ tr{-_}{+/}r;
    require MIME::Base64;
    return $Azora::HTTP::JSON->decode(MIME::Base64::decode_base64($text));
}


subtest 'who may' => sub {
    is_problem($azora->get('/lms/x'), 401, 'authentication-required');
    is_problem($azora->get('/lms/x', token => 'a.b.c'), 401, 'invalid-token');
    is_problem($azora->get('/reports/x'), 401, 'authentication-required');
    is_problem($azora->get('/reports/x', token => $amina->{token}), 403,
               'insufficient-scope');
    is $lms->count, 0, 'the service saw none of them';
    is $azora->get('/open/x')->{status}, 200, 'optional lets anybody in';
};


subtest 'who calls, as headers' => sub {
    my $h = seen($azora->get('/lms/x?y=1', token => $amina->{token},
                             headers => \@claimed));

    is_deeply $h->{'x-azora-subject'}, [$amina->{id}], 'the account';
    is_deeply $h->{'x-azora-roles'}, ['learner'], 'the roles';
    like $h->{'x-azora-scope'}[0], qr/wallet:read/, 'what the token allows';
    like $h->{'x-azora-session'}[0], qr/^[0-9a-f-]{36}$/, 'the session';
    is $h->{'x-azora-anything'}, undef, 'and nothing the client claimed';
    is $h->{x_azora_subject}, undef, 'not with underscores either';
    is $h->{'x-azora-identity'}, undef, 'nor signed';
    is $h->{authorization}, undef, 'the token stays here';
};


subtest 'nobody else speaks in our name' => sub {
    for my $path ('/plain/x', '/open/x') {
        my $h = seen($azora->get($path, headers => \@claimed));
        is_deeply [grep { /^x.azora/ } sort keys %$h], [],
            "$path: no claim passes";
    }

    my @many = map { (['X-Azora-Subject', $_], ["X-Kept-$_", $_]) } 1 .. 40;
    my $h = seen($azora->get('/plain/x', headers => \@many));
    is_deeply [grep { /^x-azora/ } keys %$h], [], 'forty claims do not pass';
    is scalar(grep { /^x-kept-\d+$/ } keys %$h), 40, 'and what is between does';
    is_deeply $h->{'x-kept-17'}, ['17'], 'unchanged';

    $h = seen($azora->get('/plain/x', headers => [map { ['X-Azora-N', $_] }
                                                      1 .. 3]));
    is_deeply $h->{host}, ['lms'], 'Host is what proxy_pass makes it';

    $h = seen($azora->get('/plain/x', token => $amina->{token}));
    is_deeply $h->{authorization}, ["Bearer $amina->{token}"],
        'without azora_identity a location is as ever';
};


subtest 'an internal redirect tells it once' => sub {
    my $h = seen($azora->get('/moved/x', token => $amina->{token}));
    is_deeply $h->{'x-azora-subject'}, [$amina->{id}], 'the account';
    is $h->{authorization}, undef, 'no token';
};


subtest 'who calls, signed' => sub {
    my $h = seen($azora->get('/token/x', token => $amina->{token},
                             headers => \@claimed));
    my $token = $h->{'x-azora-identity'}[0];
    my $claims = claims($token, 1);

    is_deeply [grep { /^x-azora/ } sort keys %$h], ['x-azora-identity'],
        'one header, of our making';
    is claims($token, 0)->{typ}, 'azora-identity+jwt', 'a type of its own';
    is $claims->{sub}, $amina->{id}, 'the account';
    is $claims->{iss}, 'https://azora.test', 'from us';
    is $claims->{aud}, 'lms', 'for this service';
    is_deeply $claims->{roles}, ['learner'], 'with the roles';
    is $claims->{exp} - $claims->{iat}, 60, 'for a minute';
    cmp_ok abs($claims->{iat} - time), '<', 40, 'from now';

    is_problem($azora->get('/v1/me', token => $token), 401, 'invalid-token');
    is_problem($azora->get('/lms/x', token => $token), 401, 'invalid-token');

    # the key set that other services verify it with
    my ($key) = @{ $azora->get('/.well-known/jwks.json')->{json}{keys} };
    is claims($token, 0)->{kid}, $key->{kid}, 'by the published key';
    ok verifies($token, $key), 'OpenSSL finds the signature right';
    my $forged = $token =~ s/\.(\w)/'.' . ($1 eq 'e' ? 'f' : 'e')/er;
    ok !verifies($forged, $key), 'and a changed token wrong';
};


# ES256 by the openssl command: the point and r || s as DER.
sub verifies {
    my ($token, $key) = @_;
    my ($head, $body, $sig) = split /\./, $token;
    my $raw = sub { MIME::Base64::decode_base64($_[0] =~ tr{-_}{+/}r) };
    my $dir = $azora->{dir};
    my $integer = sub {
        my $n = $_[0] =~ s/\A\0+(?=.)//sr;
        $n = "\0$n" if ord($n) > 127;
        return "\x02" . chr(length $n) . $n;
    };
    my $both = join '', map { $integer->($_) } unpack 'a32 a32', $raw->($sig);

    Azora::Process::spew("$dir/sig", "\x30" . chr(length $both) . $both);
    Azora::Process::spew("$dir/input", "$head.$body");
    Azora::Process::spew("$dir/der", pack('H*',
        '3059301306072a8648ce3d020106082a8648ce3d030107034200' . '04')
        . $raw->($key->{x}) . $raw->($key->{y}));
    return system("openssl dgst -sha256 -keyform DER -verify '$dir/der'"
        . " -signature '$dir/sig' '$dir/input' >/dev/null 2>&1") == 0;
}


subtest 'the trace goes on' => sub {
    my $trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    my $h = seen($azora->get('/lms/x', token => $amina->{token}, headers => [
        ['traceparent', "00-$trace-00f067aa0ba902b7-01"],
        ['tracestate', 'congo=t61rcWkgMzE'], ['X-Request-Id', 'request-1']]));

    like $h->{traceparent}[0], qr/^00-$trace-[0-9a-f]{16}-01$/, 'the trace';
    unlike $h->{traceparent}[0], qr/00f067aa0ba902b7/, 'of our span';
    is scalar @{ $h->{traceparent} }, 1, 'once';
    is_deeply $h->{tracestate}, ['congo=t61rcWkgMzE'], 'with its state';
    is_deeply $h->{'x-request-id'}, ['request-1'], 'and the request id';

    $h = seen($azora->get('/lms/x', token => $amina->{token},
                          headers => [['traceparent', 'nonsense'],
                                      ['X-Request-Id', '<script>']]));
    like $h->{traceparent}[0], qr/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/,
        'nonsense is replaced';
    my ($id) = $h->{traceparent}[0] =~ /^00-([0-9a-f]+)/;
    is_deeply $h->{'x-request-id'}, [$id], 'so is a request id of no use';
};


subtest 'how often' => sub {
    my @r = map { $azora->get('/lms/x', token => $amina->{token}) } 1 .. 12;
    my $last = $r[-1];

    is_problem($last, 429, 'rate-limited');
    is $last->{headers}{'ratelimit-policy'}, '"lms";q=12;w=86400',
        'the location has its own limit';
    my $before = $lms->count;
    $azora->get('/lms/x', token => $amina->{token}) for 1 .. 3;
    is $lms->count, $before, 'the service is spared';
    is $azora->get('/lms/x', token => $azora->user('badru')->{token})
        ->{status}, 200, 'another has a budget of their own';
};


subtest 'HTTP/1.0 without a header' => sub {
    my $http = $azora->connect;
    $http->write("GET /plain/x HTTP/1.0\r\nX-Azora-Subject: a\r\n\r\n");
    my $r = $http->read_response;
    is $r->{status}, 200, 'also when all headers go';
    is $r->{json}{headers}{'x-azora-subject'}, undef, 'they go';

    $http = $azora->connect;
    $http->write("GET /token/x HTTP/1.0\r\nX-Azora-Subject: a\r\n"
        . "Authorization: Bearer $amina->{token}\r\n\r\n");
    $r = $http->read_response;
    is $r->{status}, 200, 'also when the last one is the token';
    is claims($r->{json}{headers}{'x-azora-identity'}[0], 1)->{sub},
        $amina->{id}, 'and ours come in their place';
};


subtest 'a page of the service' => sub {
    for my $from ('MISS', 'HIT') {
        my $r = $azora->get('/page/x');
        is "$r->{status} $r->{body}", '404 <p>Not here.</p>', 'stays';
        is $r->{headers}{'x-cache'}, $from, "a $from";
    }
};


subtest 'an answer whose header is too long' => sub {
    is_problem $azora->get('/plain/mode/long'), 502, 'bad-gateway';
};


subtest 'an answer that is no HTTP' => sub {
    my $http = $azora->connect;
    $http->write("GET /plain/mode/garbage HTTP/1.1\r\nHost: a\r\n\r\n");
    my $r = $http->read_response;
    is_problem $r, 502, 'bad-gateway';
    is $r->{headers}{connection}, 'close', 'says that it is the last';
    ok $http->closed(5), 'and is';
};


done_testing;

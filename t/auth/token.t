#!/usr/bin/perl

# How a token is presented, and which are taken: at Azora's own rows and in
# front of another service.  t/unit/auth_jwt.c has the long list of forgeries.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Test;
use Azora::Token;
use Test::More;

my $azora = Azora::Test->start(workers => 1, server => <<'END');
    location /open/     { azora_auth off;      return 200 "open\n"; }
    location /backend/  { return 200 "$request_uri\n"; }

    location /anybody/  {
        azora_auth optional;
        proxy_pass http://$server_addr:$server_port/backend/$azora_subject;
    }

    location /guarded/  {
        azora_auth required;
        proxy_pass http://$server_addr:$server_port/backend/$azora_subject;
    }

    location /scoped/   {
        azora_auth optional;
        azora_scope "profile:read";
        proxy_pass http://$server_addr:$server_port/backend/;
    }

    location /audit/    {
        azora_auth required;
        azora_scope "profile:read audit:read";
        proxy_pass http://$server_addr:$server_port/backend/;
    }
END

my ($pem) = glob "$azora->{dir}/keys/*.pem";
my $amina = $azora->user('amina');
my $id = $amina->{id};


sub me { return $azora->get('/v1/me', headers => [[Authorization => $_[0]]]) }


sub refused {
    my ($r, $name, $detail) = @_;

    is $r->{status}, 401, $name;
    is $r->{json}{type}, '/problems/invalid-token', "$name: its problem";
    like $r->{headers}{'www-authenticate'},
        qr/\ABearer error="invalid_token", error_description="[^"]+"\z/,
        "$name: RFC 6750 3.1";
    like $r->{json}{detail}, $detail, "$name: why" if $detail;
}


subtest 'schemes' => sub {
    is me("Bearer $amina->{token}")->{status}, 200, 'Bearer';
    is me("bearer $amina->{token}")->{status}, 200, 'bearer';
    is me("BEARER   $amina->{token}")->{status}, 200, 'with more blanks';

    refused(me("Basic YTpi"), 'Basic', qr/not of the Bearer scheme/);
    refused(me("Bearer"), 'no token', qr/Bearer scheme/);
    refused(me("Bearer $amina->{token} x"), 'two words');
    refused(me("Bearer$amina->{token}"), 'no blank', qr/Bearer scheme/);
    refused(me($amina->{token}), 'no scheme', qr/Bearer scheme/);
    refused(me('Bearer ' . 'a' x 5000), '5,000 characters', qr/too long/);
    like me('Bearer ' . 'a' x 1_000_000)->{status}, qr/\A4(?:00|31|94)\z/,
        'a million';

    my $r = $azora->get('/v1/me');
    is $r->{status}, 401, 'no header';
    is $r->{json}{type}, '/problems/authentication-required', 'another problem';
    is $r->{headers}{'www-authenticate'}, 'Bearer', 'and only the scheme';
};


subtest 'a token has one place' => sub {
    is $azora->get("/v1/me?access_token=$amina->{token}")->{status}, 401,
        'not the query';
    is $azora->get('/v1/me', headers => [[Cookie => "token=$amina->{token}"]])
        ->{status}, 401, 'not a cookie';

    my $two = $azora->get('/v1/me', headers => [
        [Authorization => "Bearer $amina->{token}"],
        [Authorization => "Bearer $amina->{token}"] ]);
    like $two->{status}, qr/\A40[01]\z/, 'two headers are refused';
};


subtest 'who made it' => sub {
    my $make = sub {
        return 'Bearer ' . Azora::Token::make($pem, @_);
    };
    my %me = (claims => { sub => $id });

    is me($make->(%me))->{status}, 200, 'openssl can, with our key';

    refused(me($make->(claims => { sub => $id, exp => time - 1 })),
            'expired', qr/has expired/);
    refused(me($make->(claims => { sub => $id, nbf => time + 60 })),
            'not yet', qr/not valid yet/);
    refused(me($make->(claims => { sub => $id, aud => 'other' })),
            'another audience', qr/another audience/);
    refused(me($make->(claims => { sub => $id, iss => 'https://evil.test' })),
            'another issuer', qr/another issuer/);
    refused(me($make->(%me, header => { typ => 'JWT' })),
            'another type', qr/not an access token/);
    refused(me($make->(%me, header => { alg => 'none' },
                       signature => sub { '' })), 'alg none');
    refused(me($make->(%me, signature => sub { "\0" x 64 })), 'zeros',
            qr/signature is wrong/);
    refused(me($make->(claims => { sub => "$id' OR '1'='1" })),
            'SQL for a subject', qr/not well formed/);

    my $other = "$azora->{dir}/other.pem";
    system("openssl genpkey -algorithm EC -pkeyopt"
           . " ec_paramgen_curve:P-256 -out $other 2>/dev/null");
    refused(me('Bearer ' . Azora::Token::make($other, %me)),
            'an unknown key', qr/key is not known/);
    refused(me('Bearer ' . Azora::Token::make($other, %me,
        kid => Azora::Token::jwk($pem)->{kid})), 'a borrowed kid',
        qr/signature is wrong/);

    # the classic: HMAC with what everybody may know
    my $jwks = $azora->get('/.well-known/jwks.json');
    require Digest::SHA;
    refused(me($make->(%me, header => { alg => 'HS256' }, signature => sub {
        Digest::SHA::hmac_sha256($_[0], $jwks->{body}) })),
        'HS256 with the public key', qr/algorithm is not accepted/);
};


subtest 'public rows do not look at tokens' => sub {
    is $azora->get('/v1/courses', headers => [[Authorization => 'Bearer x']])
        ->{status}, 200, 'not at a bad one';
    is $azora->get('/v1/courses', token => $amina->{token})->{status}, 200,
        'nor at a good one';
};


subtest 'the keys in public' => sub {
    my $r = $azora->get('/.well-known/jwks.json');
    is $r->{status}, 200, 'are there';
    is $r->{headers}{'content-type'}, 'application/jwk-set+json', 'their type';
    like $r->{headers}{'cache-control'}, qr/\Apublic, max-age=\d+\z/,
        'may be kept';

    my ($jwk, @more) = @{ $r->{json}{keys} };
    is @more, 0, 'there is one';
    is_deeply [sort keys %$jwk], [qw(alg crv kid kty use x y)],
        'without its private half';
    is $jwk->{kid}, Azora::Token::thumbprint($jwk), 'named as RFC 7638 says';
    is_deeply { %$jwk{qw(kty crv x y)} },
        { %{ Azora::Token::jwk($pem) }{qw(kty crv x y)} },
        'and it is that of the file';
    is "@$jwk{qw(use alg)}", 'sig ES256', 'for one use and algorithm';

    is $azora->get('/.well-known/jwks.json', headers => [
        ['If-None-Match' => $r->{headers}{etag}] ])->{status}, 304,
        'a known one is not sent again';
};


subtest 'in front of another service' => sub {
    is $azora->get('/open/', token => 'x')->{body}, "open\n", 'off: no look';

    is $azora->get('/anybody/')->{body}, "/backend/\n", 'optional: nobody';
    is $azora->get('/anybody/', token => $amina->{token})->{body},
        "/backend/$id\n", 'optional: somebody';
    refused($azora->get('/anybody/', token => 'x'), 'optional: a bad token');

    my $r = $azora->get('/guarded/');
    is $r->{status}, 401, 'required: nobody';
    is $r->{json}{type}, '/problems/authentication-required', 'is told so';
    is $azora->get('/guarded/', token => $amina->{token})->{body},
        "/backend/$id\n", 'required: somebody';

    is $azora->get('/scoped/')->{status}, 401,
        'optional with a scope: nobody has it';
    is $azora->get('/scoped/', token => $amina->{token})->{status}, 200,
        'optional with a scope: somebody';

    $r = $azora->get('/audit/', token => $amina->{token});
    is $r->{status}, 403, 'a scope is missing';
    is $r->{json}{type}, '/problems/insufficient-scope', 'its problem';
    is $r->{headers}{'www-authenticate'}, 'Bearer error="insufficient_scope",'
        . ' scope="profile:read audit:read"', 'all that is needed is named';

    my $auditor = $azora->user('oku', roles => ['learner', 'auditor']);
    is $azora->get('/audit/', token => $auditor->{token})->{status}, 200,
        'an auditor has it';
};


subtest 'a gone account' => sub {
    my $ghost = Azora::Token::make($pem);
    is $azora->get('/v1/me', token => $ghost)->{status}, 404,
        'a good token of nobody';
};

done_testing;

#!/usr/bin/perl

# Programs: accounts without a password, API keys, asking about a token, and
# where everything is written.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until);
use Azora::Story qw(documented is_problem journaled);
use Azora::Test;
use Azora::Token;
use Digest::SHA qw(sha256_hex);
use MIME::Base64 qw(encode_base64url);
use Test::More;

my $azora = Azora::Test->start(workers => 2, server => <<'END');
location /backend/ { return 200 "$request_uri\n"; }
location = /guarded/ {
    azora_auth required;
    azora_scope "introspect";
    proxy_pass http://$server_addr:$server_port/backend/$azora_subject/$azora_roles;
}
END
my $admin = $azora->user('root', roles => ['admin']);
my @root = (token => $admin->{token});
my $amina = $azora->user('amina');
my ($service, $key);


sub make_key {
    my (%json) = @_;
    return $azora->post("/v1/admin/users/$service/keys", @root, json => {
        name => 'test', scopes => ['introspect', 'profile:read'], %json });
}

sub ask {
    my ($token, @with) = @_;
    return $azora->post('/v1/auth/introspect',
        (@with ? @with : (token => $key)), json => { token => $token });
}

sub active { return ask($_[0])->{json}{active} ? 1 : 0 }

sub status { return $azora->get('/v1/me', token => $_[0])->{status} }


subtest 'a service' => sub {
    my $r = $azora->post('/v1/admin/services', @root,
                         json => { name => 'Reports' });
    is $r->{status}, 201, 'is made';
    documented($azora, $r, 'POST /v1/admin/services');
    is_deeply $r->{json}{roles}, ['service'], 'with its role';
    $service = $r->{json}{id};
    is $azora->value('SELECT count(*) FROM identity.credential
        WHERE account = ?', $service), 0, 'and no password';
    is_problem($azora->post('/v1/auth/login', json => {
        email => $r->{json}{email}, password => 'a long pass phrase' }), 401,
        'invalid-credentials');
};


subtest 'a key' => sub {
    my $r = make_key();
    is $r->{status}, 201, 'is made';
    documented($azora, $r, 'POST /v1/admin/users/{id}/keys');
    $key = $r->{json}{key};
    like $key, qr/\Aazk_[\w-]{43}[0-9a-f]{6}\z/, 'and told';

    is $azora->value("SELECT encode(hash, 'hex') FROM identity.api_key"),
        sha256_hex($key), 'PostgreSQL has its hash';
    unlike $azora->value("SELECT string_agg(k::text, '')
        FROM identity.api_key AS k"), qr/\Q$key/, 'and not itself';
    is journaled($azora, 'key.created'), 1, 'it is in the journal';

    my $list = $azora->get("/v1/admin/users/$service/keys", @root);
    documented($azora, $list, 'GET /v1/admin/users/{id}/keys');
    ok !exists $list->{json}{items}[0]{key}, 'listed without itself';

    is status($key), 200, 'Authorization: Bearer takes it';
    is $azora->get('/v1/me', headers => [['X-API-Key' => $key]])->{json}{id},
        $service, 'and X-API-Key';
    is $azora->get('/guarded/', token => $key)->{body},
        "/backend/$service/service\n", 'in front of another service, too';
    is_problem($azora->get('/v1/wallets/AZR', token => $key), 403,
        'insufficient-scope');
    ok $azora->value('SELECT last_used_at IS NOT NULL FROM identity.api_key'),
        'its use is noted';

    is_problem(make_key(scopes => ['admin']), 422, 'validation-failed',
        '/scopes');
    is_problem(make_key(scopes => []), 422, 'validation-failed', '/scopes');
    is_problem(make_key(expires_in_days => 366), 422, 'validation-failed',
        '/expires_in_days');
    is_problem($azora->post("/v1/admin/users/$amina->{id}/keys", @root,
        json => { name => 'x', scopes => ['profile:read'] }), 409,
        'wrong-state');
};


subtest 'what is no key' => sub {
    my $queries = sub {
        my ($n, $text) = (0, $azora->get('/metrics')->{body});

        $n += $1 while $text =~ /^db_client_operation_duration_seconds_count
            \{[^}]*"identity\.api_key_holder"[^}]*\}\s(\d+)/gmx;
        return $n;
    };
    my $random = 'azk_' . encode_base64url(pack 'C*',
        map { int rand 256 } 1 .. 32);
    my $before = $queries->();

    is_problem($azora->get('/v1/me', token => $_), 401, 'invalid-token')
        for $random . '000000', 'azk_', 'azk_x', uc $key,
            substr($key, 0, -1), "${key}0";
    is_problem($azora->get('/v1/me', headers => [['X-API-Key' => $_]]), 401,
        'invalid-token') for $amina->{token}, '', 'x';
    is $queries->(), $before, 'PostgreSQL is not asked about it';

    is_problem($azora->get('/v1/me', token => $random
        . substr(sha256_hex($random), 0, 6)), 401, 'invalid-token');
    is $queries->(), $before + 1, 'but about what looks like one';
};


subtest 'its end' => sub {
    my @keys = map { make_key()->{json} } 1 .. 2;
    is status($_->{key}), 200, 'a key' for @keys;

    is $azora->delete("/v1/admin/keys/$keys[0]{id}", @root)->{status}, 204,
        'is revoked';
    is join(' ', map { status($keys[0]{key}) } 1 .. 8), '401 ' x 7 . '401',
        'at once for every worker';
    is status($keys[1]{key}), 200, 'the other one is good';
    is_problem($azora->delete("/v1/admin/keys/$keys[0]{id}", @root), 404,
        'not-found');
    is journaled($azora, 'key.revoked'), 1, 'it is in the journal';

    my $third = make_key()->{json};
    $azora->sql("UPDATE identity.api_key
        SET created_at = now() - interval '2 days',
            expires_at = now() - interval '1 day' WHERE id = ?",
        $third->{id});
    is_problem($azora->get('/v1/me', token => $third->{key}), 401,
        'invalid-token');

    is $azora->post("/v1/admin/users/$service/lock", @root,
        json => { reason => 'test' })->{status}, 204, 'a locked service';
    is status($_), 401, 'has no good keys' for $key, $keys[1]{key};
    $azora->post("/v1/admin/users/$service/unlock", @root);
    is status($keys[1]{key}), 200, 'and has them again';
};


subtest 'POST /v1/auth/introspect' => sub {
    my $r = ask($amina->{token});
    is $r->{status}, 200, 'answers';
    documented($azora, $r, 'POST /v1/auth/introspect');
    my (undef, $claims) = Azora::Token::parts($amina->{token});
    is_deeply [@{ $r->{json} }{qw(active sub sid scope tier exp iat iss aud
        token_type)}], [JSON::PP::true, @$claims{qw(sub sid scope tier exp iat
        iss aud)}, 'Bearer'], 'with what the token says';
    is $r->{headers}{'cache-control'}, 'no-store', 'never stored';

    is_deeply ask("$amina->{token}x")->{json}, { active => JSON::PP::false },
        'a bad one: that, and nothing else';
    is_deeply ask($_)->{json}, { active => JSON::PP::false }, 'nonsense'
        for 'x', 'azk_x', 'a.b.c';
    is ask($key)->{json}{token_type}, 'api_key', 'a key';
    $azora->patch("/v1/admin/users/$service", @root,
                  json => { tier => 'enterprise' });
    is ask($key)->{json}{tier}, 'enterprise',
        'says at once what its service is entitled to';

    my $form = $azora->post('/v1/auth/introspect', token => $key,
        headers => [['Content-Type' => 'application/x-www-form-urlencoded']],
        body => "token=$amina->{token}&token_type_hint=access_token");
    ok $form->{json}{active}, 'as a form, as RFC 7662 has it';
    is $azora->post('/v1/auth/introspect', token => $key, headers => [
        ['Content-Type' => 'application/x-www-form-urlencoded']],
        body => $_->[0])->{status}, $_->[1], "a form '$_->[0]'"
        for ['token=a&token=b', 400], ['token=%zz', 400], ['token=%00', 400],
            ['tok%65n=a+b', 200], ['', 422], ['token', 422], ['a=b', 422],
            ['token=%ff', 400], ['token=x&&', 200];

    my $second = $azora->login('amina');
    is active($second), 1, 'a session';
    $azora->post('/v1/auth/logout', token => $second);
    is active($second), 0, 'and after its logout';

    is_problem(ask('x', @root), 403, 'insufficient-scope');
    is_problem(ask('x', headers => []), 401, 'authentication-required');
};


subtest 'discovery' => sub {
    my $r = $azora->get('/.well-known/openid-configuration');
    is $r->{status}, 200, 'is there';
    is $r->{json}{issuer}, 'https://azora.test', 'the issuer of the tokens';
    is $r->{json}{jwks_uri}, 'https://azora.test/.well-known/jwks.json',
        'where the keys are';
    is $r->{json}{introspection_endpoint},
        'https://azora.test/v1/auth/introspect', 'where to ask';
    is_deeply $r->{json}{response_types_supported}, [],
        'and that it is no provider';
};

done_testing;

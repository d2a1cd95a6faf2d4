#!/usr/bin/perl

# Opening an account, logging in, reading it: what is answered, and what is
# written down and what is not.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until slurp);
use Azora::Test;
use Azora::Token;
use Test::More;

# a log that some administrator thinks useful
my $azora = Azora::Test->start(workers => 2,
    http => q{log_format bodies '$status $request_body';},
    server => <<'END');
access_log logs/access.log azora;
access_log logs/bodies.log bodies;
END
my $password = 'mangoes grow on trees';


subtest 'register' => sub {
    my $r = $azora->post('/v1/auth/register', json => {
        email => 'Amina.Diallo@Example.org', password => $password,
        name => 'Amina' });

    is $r->{status}, 201, 'created';
    is $r->{headers}{location}, '/v1/me', 'with its place';
    is $r->{json}{email}, 'amina.diallo@example.org', 'the address in small';
    is $r->{json}{name}, 'Amina', 'the name';
    like $r->{json}{id}, qr/\A[0-9a-f]{8}-[0-9a-f]{4}-7/, 'a UUIDv7';
    unlike $r->{body}, qr/mangoes|argon2/, 'no word of the password';

    my ($row) = $azora->sql('SELECT a.id, a.roles, c.password
        FROM identity.account a JOIN identity.credential c ON c.account = a.id
        WHERE a.email = ?', 'amina.diallo@example.org');
    is $row->{id}, $r->{json}{id}, 'the row has the id';
    is_deeply $row->{roles}, ['learner'], 'a learner';
    like $row->{password},
        qr/\A\$azp\$[0-9a-f]{8}\$argon2id\$v=19\$m=19456,t=2,p=1\$[^\$]{22}\$/,
        'argon2id of 19 MiB and two passes, behind a pepper';
    is $azora->value("SELECT count(*) FROM journal.entry
        WHERE type = 'user.registered'"), 1, 'and it is in the journal';
};


subtest 'register refuses' => sub {
    my %good = (email => 'b@example.org', password => $password,
                name => 'Kwame');
    my $count = $azora->value('SELECT count(*) FROM identity.account');

    for my $case (
        ['a taken address', 409, 'email-taken', '/email',
            email => 'AMINA.diallo@example.ORG'],
        ['7 bytes', 422, 'validation-failed', '/password',
            password => 'seven77'],
        ['1,025 bytes', 422, 'validation-failed', '/password',
            password => 'x y' . 'z' x 1022],
        ['a number', 422, 'validation-failed', '/password',
            password => 12345678],
        ['no password', 422, 'validation-failed', '/password',
            password => undef],
        ['a row of keys', 422, 'common-password', '/password',
            password => 'qwertyuiop'],
        ['what many have', 422, 'common-password', '/password',
            password => 'NCC1701d'],
        ['one character', 422, 'common-password', '/password',
            password => 'kkkkkkkkkkkk'],
        ['the address itself', 422, 'common-password', '/password',
            email => 'kwame.mensah@example.org', password => 'KwameMensah1'],
        ['no name', 422, 'validation-failed', '/name', name => undef],
        ['no address', 422, 'validation-failed', '/email',
            email => 'not an address'],
        ['an unknown field', 422, 'validation-failed', '/role',
            role => 'admin'],
    ) {
        my ($name, $status, $problem, $pointer, %change) = @$case;
        my $r = $azora->post('/v1/auth/register',
                             json => { %good, %change });
        is $r->{status}, $status, $name;
        is $r->{json}{type}, "/problems/$problem", "$name: $problem";
        is $r->{json}{errors}[0]{pointer}, $pointer, "$name: $pointer"
            or diag $r->{body};
    }

    is $azora->value('SELECT count(*) FROM identity.account'), $count,
        'and no account was made';
};


subtest 'passwords of all kinds' => sub {
    my %passwords = (
        longest => "\x{1f34b} " . 'q7' x 509,          # 4 + 1 + 1,018 bytes
        unicode => "\x{5bc6}\x{7801}\x{5f88}\x{957f}",
        blanks => '   x  9 k  mango   ',
        quotes => q{'; DROP TABLE "x" \\ $1 --},
    );

    for my $name (sort keys %passwords) {
        my %json = (email => "$name\@example.org", name => 'Kwame',
                    password => $passwords{$name});
        is $azora->post('/v1/auth/register', json => \%json)->{status}, 201,
            "$name is taken";
        my %login = %json{qw(email password)};
        is $azora->post('/v1/auth/login', json => \%login)->{status}, 200,
            "$name logs in";
        $login{password} = substr $login{password}, 0, -1;
        is $azora->post('/v1/auth/login', json => \%login)->{status}, 401,
            "$name without its end does not";
    }
};


subtest 'a repeated registration' => sub {
    my %json = (email => 'twice@example.org', password => $password,
                name => 'Kwame');

    my $first = $azora->post('/v1/auth/register', json => \%json,
                             key => 'same');
    my $second = $azora->post('/v1/auth/register', json => \%json,
                              key => 'same');
    is $first->{status}, 201, 'the first';
    is $second->{status}, 201, 'the second';
    is $second->{json}{id}, $first->{json}{id}, 'is the same account';
    is $azora->value('SELECT count(*) FROM identity.account
        WHERE email = ?', 'twice@example.org'), 1, 'of which there is one';
    unlike $azora->value('SELECT string_agg(i::text, E\'\n\')
        FROM azora.idempotency i'), qr/mangoes|argon2/,
        'the key remembers no password';
};


subtest 'login' => sub {
    my $r = $azora->post('/v1/auth/login', json => {
        email => 'AMINA.diallo@example.org', password => $password });

    is $r->{status}, 200, 'the right password';
    is $r->{headers}{'cache-control'}, 'no-store', 'is not to be stored';
    is_deeply [sort keys %{ $r->{json} }],
        [qw(access_token expires_in token_type)], 'three members';
    is $r->{json}{token_type}, 'Bearer', 'a bearer token';
    is $r->{json}{expires_in}, 3600, 'for an hour';

    my $token = $r->{json}{access_token};
    my ($header, $claims) = Azora::Token::parts($token);
    my ($pem) = glob "$azora->{dir}/keys/*.pem";
    is_deeply $header, { alg => 'ES256', typ => 'at+jwt',
        kid => Azora::Token::jwk($pem)->{kid} }, 'its header';
    ok Azora::Token::verify($pem, $token), 'openssl finds it well signed';

    my ($session) = $azora->sql('SELECT * FROM identity.session
        WHERE id = ?', $claims->{sid});
    is $session->{account}, $claims->{sub}, 'the session is in the database';
    is $claims->{iss}, 'https://azora.test', 'iss';
    is $claims->{aud}, 'azora', 'aud';
    is_deeply $claims->{roles}, ['learner'], 'roles';
    like $claims->{scope}, qr/\bwallet:write\b/, 'scope';
    like $claims->{jti}, qr/\A[\w-]{22}\z/, 'jti of 128 bits';
    is $claims->{acr}, '1', 'acr';
    is $claims->{exp} - $claims->{iat}, 3600, 'exp';
    ok abs($claims->{iat} - time) < 10, 'iat';

    my $me = $azora->get('/v1/me', token => $token);
    is $me->{status}, 200, 'it opens /v1/me';
    is $me->{json}{id}, $claims->{sub}, 'of this account';
};


subtest 'login refuses' => sub {
    my $before = $azora->value("SELECT count(*) FROM journal.entry
        WHERE type = 'user.login_failed'");
    my $wrong = $azora->post('/v1/auth/login', json => {
        email => 'amina.diallo@example.org', password => 'wrong pass phrase' });
    my $nobody = $azora->post('/v1/auth/login', json => {
        email => 'nobody@example.org', password => 'wrong pass phrase' });

    is $wrong->{status}, 401, 'a wrong password';
    is $nobody->{status}, 401, 'an unknown account';
    for ($wrong, $nobody) {
        delete $_->{json}{request_id};
        ok !exists $_->{headers}{'www-authenticate'},
            'a login form is no Bearer challenge' or diag explain $_->{headers};
    }
    is_deeply $nobody->{json}, $wrong->{json}, 'the answers do not differ';
    is $azora->value("SELECT count(*) FROM journal.entry
        WHERE type = 'user.login_failed'"), $before + 2,
        'both are in the journal';

    $azora->sql("UPDATE identity.account SET locked = true
        WHERE email = 'amina.diallo\@example.org'");
    my $locked = $azora->post('/v1/auth/login', json => {
        email => 'amina.diallo@example.org', password => $password });
    is $locked->{status}, 401, 'a locked account';
};


subtest 'a hash of older rules is replaced' => sub {
    $azora->register('older');
    my $old = '$argon2id$v=19$m=8192,t=1,p=1$c2l4dGVlbiBieXRlcyEhIQ$'
            . 'cqQTlb5hjhpjdndoeL8YoGRwTncM7jDsP8Uwv/bfTtQ';
    $azora->sql("UPDATE identity.credential c SET password = ?
        FROM identity.account a WHERE a.id = c.account
        AND a.email = 'older\@example.org'", $old);

    my $stored = sub { $azora->value("SELECT c.password
        FROM identity.credential c JOIN identity.account a ON a.id = c.account
        WHERE a.email = 'older\@example.org'") };

    is $azora->post('/v1/auth/login', json => { email => 'older@example.org',
        password => 'a wrong pass phrase' })->{status}, 401,
        'not by a wrong password';
    is $stored->(), $old, 'which leaves it as it is';
    ok $azora->login('older'), 'the right one';
    like $stored->(), qr/\A\$azp\$[0-9a-f]{8}\$argon2id\$v=19\$m=19456,t=2,/,
        'brings it to today';
    ok $azora->login('older'), 'and still logs in';
};


subtest 'a pepper that is gone' => sub {
    $azora->register('pepper');
    $azora->sql("UPDATE identity.credential c
        SET password = overlay(c.password placing '00000000' from 6 for 8)
        FROM identity.account a WHERE a.id = c.account
        AND a.email = 'pepper\@example.org'");
    my $mark = $azora->mark;

    is $azora->post('/v1/auth/login', json => {
        email => 'pepper@example.org', password => 'a long pass phrase',
    })->{status}, 500, 'is an error of ours';
    is $azora->value("SELECT count(*) FROM identity.login_failure
        WHERE principal = sha256('pepper\@example.org')"), 0,
        'and no failure of theirs';
    ok $azora->wait_log(qr/names a pepper that is not in/, $mark),
        'the log says what is wrong';
};


subtest 'nothing secret in the logs' => sub {
    my $access = sub { slurp("$azora->{dir}/logs/access.log") };
    ok poll_until(10, sub { $access->() =~ m{/v1/auth/register.*/v1/me}s }),
        'the logs tell what was asked';

    my $logs = $azora->error_log . $access->();
    ok $logs !~ /mangoes|long pass phrase|argon2id|eyJ/,
        'and no password, hash or token';

    my @bodies = grep { /^20/ }
                 split /\n/, slurp("$azora->{dir}/logs/bodies.log");
    ok @bodies > 10, 'a log of bodies has them';
    is scalar(grep { /mangoes|long pass|email/ } @bodies), 0,
        'wiped as soon as the password was taken out';
};

done_testing;

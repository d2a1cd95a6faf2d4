#!/usr/bin/perl

# Logging in at a provider: the way of a browser there and back, who one is
# here then, and everything that can be wrong with an answer.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until slurp spew);
use Azora::Test;
use Azora::Token;
use HTTP::Tiny;
use JSON::PP ();
use Test::More;

my $tools = `'$Azora::Test::ROOT/t/npm/install' auth`;
plan skip_all => 'npm cannot install the provider here' if $? >> 8 == 3;
chomp $tools;

my %providers;

# name => its port
sub start_provider {
    my ($name, @options) = @_;
    my $pid = open(my $out, '-|', 'node', "$Bin/provider.mjs",
        "$tools/node_modules",
        "https://azora.test/v1/auth/oauth/$name/callback", @options)
        or die "node: $!\n";

    $providers{$pid} = $out;
    chomp(my $port = <$out> // '');
    die "the provider does not start\n" if $port !~ /^\d+\z/;
    return $port;
}

sub stop_providers {
    my @pids = keys %providers;
    kill 'KILL', @pids if @pids;
    close delete $providers{$_} for @pids;
}

END { my $status = $?; stop_providers(); $? = $status }

my $port = start_provider('test');
my $post = start_provider('post', 'client_secret_post');

my $azora = Azora::Test->start(workers => 2, edit => sub {
    my ($dir) = m{azora_auth_key_dir\s+"(.*)/keys"};
    spew("$dir/secrets/client", "secret & more: ~\n");
    chmod 0600, "$dir/secrets/client";
    s{(azora_mail_dir)}{azora_oauth test issuer=http://127.0.0.1:$port
        client_id=azora client_secret_file=$dir/secrets/client;
        azora_oauth post issuer=http://127.0.0.1:$post client_id=azora
        client_secret_file=$dir/secrets/client;
        azora_oauth gone issuer=http://127.0.0.1:9 client_id=azora;
        azora_oauth google client_id=x;
        $1};
});
my $password = 'a long pass phrase';


sub problem { return ($_[0]{json}{type} // '') =~ s{^/problems/}{}r }

sub control {
    my $json = JSON::PP::encode_json({ @_ });
    my $r = HTTP::Tiny->new->get("http://127.0.0.1:$port/control?"
        . $json =~ s/([^\w])/sprintf '%%%02X', ord $1/ger);
    die "control: $r->{status}\n" if $r->{content} ne 'done';
}


# A browser that begins here: {location, cookie}
sub begin {
    my ($name) = @_;
    my $r = $azora->get('/v1/auth/oauth/' . ($name || 'test') . '/start');
    my ($cookie) = ($r->{headers}{'set-cookie'} // '') =~ /^([^;]+)/;
    return { answer => $r, location => $r->{headers}{location},
             cookie => $cookie };
}

# The same of somebody who wants to link a login
sub begin_link {
    my (@who) = @_;
    my $r = $azora->post('/v1/me/logins', @who,
                         json => { provider => 'test' });
    my ($cookie) = ($r->{headers}{'set-cookie'} // '') =~ /^([^;]+)/;
    return { answer => $r, location => $r->{json}{location},
             cookie => $cookie };
}

# ... goes to the provider and is sent back to an address of ours.
sub there {
    my ($url) = @_;
    my $http = HTTP::Tiny->new(max_redirect => 0);
    my %cookies;

    for (1 .. 6) {
        return $url if $url =~ m{^https://azora\.test/};
        my $r = $http->get($url, { headers => { Cookie => join '; ',
            map { "$_=$cookies{$_}" } sort keys %cookies } });
        my $set = $r->{headers}{'set-cookie'} // [];
        for (ref $set ? @$set : $set) {
            $cookies{$1} = $2 if /^([^=]+)=([^;]*)/;
        }
        my $to = $r->{headers}{location}
            or die "the provider: $r->{status} $r->{content}\n";
        my ($host) = $url =~ m{^(http://[^/]+)};
        $url = $to =~ m{^/} ? "$host$to" : $to;
    }
    die "the provider goes in circles\n";
}

sub back {
    my ($address, $cookie) = @_;
    return $azora->get($address =~ s{^https://azora\.test}{}r,
        headers => { $cookie ? (Cookie => $cookie) : () });
}

sub login {
    my $begun = begin(@_);
    return back(there($begun->{location}), $begun->{cookie});
}

sub subject {
    my (undef, $claims) = Azora::Token::parts($_[0]{json}{access_token});
    return $claims->{sub};
}

# Whether a person got a mail
sub told {
    my ($name, $about) = @_;
    return poll_until(20 * $azora->patience, sub {
        grep { /^To: <\Q$name\E\@.*^Subject: .*\Q$about\E\r$/ms }
        map { slurp($_) } glob "$azora->{dir}/mail/*.eml" });
}

sub sessions { return $azora->value('SELECT count(*) FROM identity.session') }


subtest 'the way there' => sub {
    my $begun = begin();
    my $r = $begun->{answer};
    is $r->{status}, 303, 'the browser is sent on' or diag $r->{body};
    is $r->{headers}{'cache-control'}, 'no-store', 'which is not stored';
    like $r->{headers}{'set-cookie'}, qr/\A__Host-azora_oauth=[\w-]{43}\.\d+;
        \ Max-Age=600;\ Path=\/;\ HttpOnly;\ Secure;\ SameSite=Lax\z/x,
        'with a cookie of ten minutes';
    my ($to, $query) = split /\?/, $begun->{location};
    is $to, "http://127.0.0.1:$port/auth", 'to where discovery says';
    my %query = map { my ($n, $v) = split /=/;
        ($n => $v =~ s/%(..)/chr hex $1/ger) } split /&/, $query;
    is_deeply [sort keys %query], [qw(client_id code_challenge
        code_challenge_method nonce redirect_uri response_type scope state)],
        'with all it needs';
    is $query{redirect_uri},
        'https://azora.test/v1/auth/oauth/test/callback', 'to come back exactly here';
    is $query{code_challenge_method}, 'S256', 'PKCE by hash';
    like $query{$_}, qr/\A[\w-]{43}\z/, "$_ of 256 bits"
        for qw(code_challenge nonce state);
    my $other = begin();
    unlike $other->{location}, qr/\Q$query{state}\E/, 'of each login its own';
    is $azora->get('/v1/auth/oauth/nowhere/start')->{status}, 404,
        'only to providers that are configured';
    is $azora->get('/v1/auth/oauth/nowhere/callback?state=x')->{status}, 404,
        'nor does anybody come back from there';
};


subtest 'somebody new' => sub {
    my $r = login();
    is $r->{status}, 200, 'is logged in' or diag $r->{body};
    is $r->{headers}{'cache-control'}, 'no-store', 'which is not stored';
    my (undef, $claims) = Azora::Token::parts($r->{json}{access_token});
    is_deeply [@$claims{qw(acr amr)}], ['1', ['oidc']], 'by the provider';
    my $me = $azora->get('/v1/me', token => $r->{json}{access_token});
    is $me->{json}{email}, 'amina@example.org', 'with the proved address';
    is $me->{json}{name}, 'Amina D.', 'and the name';
    my ($row) = $azora->sql('SELECT * FROM identity.external_login');
    is_deeply [@$row{qw(issuer subject account)}],
        ["http://127.0.0.1:$port", 'amina', subject($r)],
        'known by issuer and subject';
    ok $azora->value('SELECT email_verified_at IS NOT NULL
        FROM identity.account'), 'the address need not be proved again';

    control(email => 'amina.new@example.org');
    my $again = login();
    is subject($again), subject($r), 'the same person again, whatever the'
        . ' address is now';
    is $azora->value('SELECT count(*) FROM identity.account'), 1,
        'is the same account';
    is problem($azora->post('/v1/auth/login', json => {
        email => 'amina@example.org', password => $password })),
        'invalid-credentials', 'no password opens it';

    control(sub => 'zuri', email => 'zuri@example.org');
    my @zuri = (token => login()->{json}{access_token});
    my $all = $azora->get('/v1/me/export', @zuri)->{json}{logins};
    is $all->{providers}[0]{subject}, 'zuri', 'who one is there is exported';
    is $azora->delete('/v1/me', @zuri)->{status}, 204, 'and erased';
    is $azora->value("SELECT count(*) FROM identity.external_login
        WHERE subject = 'zuri'"), 0, 'without a trace';
    control(sub => 'amina', email => 'amina@example.org');
};


subtest 'addresses prove nothing' => sub {
    my $bola = $azora->user('bola');
    control(sub => 'bola-there', email => 'Bola@example.org');
    my $before = sessions();
    my $r = login();
    is $r->{status}, 409, "an address of somebody's here";
    is problem($r), 'email-taken', 'is theirs';
    is sessions(), $before, 'nobody is logged in';
    is $azora->value('SELECT count(*) FROM identity.external_login'), 1,
        'nothing is linked';

    control(sub => 'chidi', email => 'chidi@example.org', verified => \0);
    is problem(login()), 'login-refused', 'one that is not proved there';
    control(verified => 'true');
    is problem(login()), 'login-refused', 'or by something else than true';
    is $azora->value("SELECT count(*) FROM identity.account
        WHERE email = 'chidi\@example.org'"), 0, 'makes no account';
    control(sub => 'amina', email => 'amina@example.org', verified => \1);
};


subtest 'answers to nobody' => sub {
    my $before = sessions();
    my $begun = begin();
    my $address = there($begun->{location});
    my $other = begin();

    is problem($azora->get('/v1/auth/oauth/test/callback')),
        'login-refused', 'nothing at all';
    is problem(back($address)), 'login-refused', 'without the cookie';
    is problem(back($address, $other->{cookie})), 'login-refused',
        "with another login's";
    is problem(back($address =~ s/state=[^&]+/'state=' . 'x' x 43/er,
                    $begun->{cookie})), 'login-refused', 'another state';
    is problem(back($address =~ s/&?state=[^&]+//r, $begun->{cookie})),
        'login-refused', 'no state';
    is problem(back($address, $begun->{cookie} =~ s/\d+\z/9999999999/r)),
        'login-refused', 'a cookie that lives longer than it was given';
    is problem(back($address, $begun->{cookie} =~ s/\d+\z/1/r)),
        'login-refused', 'one that is over';
    is problem(back($address =~ s/iss=[^&]+/iss=https%3A%2F%2Fevil.example/r,
                    $begun->{cookie})), 'login-refused', 'another issuer';
    is problem(back($address =~ s/&?iss=[^&]+//r, $begun->{cookie})),
        'login-refused', 'no issuer, of one who always says it';
    is problem(back($address =~ s/oauth\/test/oauth\/google/r,
                    $begun->{cookie})), 'login-refused',
        'at another provider of ours';
    is problem(back($address =~ s/code=[^&]+/error=access_denied/r,
                    $begun->{cookie})), 'login-refused', 'a refusal';
    is problem(back($address =~ s/code=[^&]+/code=abc/r, $begun->{cookie})),
        'login-refused', 'a code that is none';
    is sessions(), $before, 'nobody is logged in';

    my $r = back("$address&session_state=1&hd=x", $begun->{cookie});
    is $r->{status}, 200, 'the answer itself, whatever else is in it'
        or diag $r->{body};
    is problem(back($address, $begun->{cookie})), 'login-refused', 'once';
};


subtest 'wrong ID tokens' => sub {
    my $before = sessions();

    for my $wrong ('nonce', 'no nonce', 'iss', 'aud', 'aud among others',
                   'azp', 'exp', 'iat of the future', 'iat of long ago',
                   'nbf', 'no sub', 'typ', 'crit', 'unknown kid',
                   'jwk in the header', 'key', 'alg none', 'HS256', 'PS256')
    {
        control(wrong => $wrong);
        my $r = login();
        is "$r->{status} " . problem($r), '401 login-refused', $wrong;
    }

    control();
    is sessions(), $before, 'nobody is logged in';
    is login()->{status}, 200, 'a good one is still taken';
};


subtest 'keys' => sub {
    for my $alg (qw(RS256 ES256)) {
        my $begun = begin();
        my $address = there($begun->{location});
        control(rotate => 1, alg => $alg);
        is back($address, $begun->{cookie})->{status}, 200,
            "change to $alg while somebody logs in";
    }
    is login()->{status}, 200, 'and stay so';
};


subtest 'linking an account that is there' => sub {
    my $dayo = $azora->user('dayo');
    my @dayo = (token => $dayo->{token});
    control(sub => 'dayo-there', email => 'dayo@example.org');
    is problem(login()), 'email-taken', 'the address alone opens nothing';

    my $logins = sub { return $azora->get('/v1/me/logins', @_)->{json} };
    is_deeply $logins->(@dayo), { password => JSON::PP::true, items => [],
        second_factor => JSON::PP::false }, 'a password and nothing else';

    my $begun = begin_link(@dayo);
    is $begun->{answer}{status}, 200, 'begun' or diag $begun->{answer}{body};
    is $begun->{answer}{headers}{'cache-control'}, 'no-store', 'not stored';
    like $begun->{cookie}, qr/\A__Host-azora_oauth=[\w-]{43}\.\d+\.[\w-]{36}\z/,
        'for this session';
    my $before = sessions();
    my $r = back(there($begun->{location}), $begun->{cookie});
    is $r->{status}, 204, 'linked' or diag $r->{body};
    unlike $r->{headers}{'set-cookie'} // '', qr/refresh/, 'without tokens';
    is sessions(), $before, 'nobody is logged in by it';

    my $item = $logins->(@dayo)->{items}[0];
    is_deeply [@$item{qw(issuer subject)}],
        ["http://127.0.0.1:$port", 'dayo-there'], 'it is shown';
    is $azora->value("SELECT count(*) FROM journal.entry
        WHERE type = 'user.login_linked'"), 1, 'and journaled';
    ok told('dayo', 'another way to log in'), 'and told by mail';

    my $in = login();
    is subject($in), $dayo->{id}, 'it logs in to the account';
    $begun = begin_link(@dayo);
    is back(there($begun->{location}), $begun->{cookie})->{status}, 204,
        'the same once more';
    is scalar @{ $logins->(@dayo)->{items} }, 1, 'is no second';

    my $path = "/v1/me/logins/$item->{id}";
    my $bola = $azora->login('bola');
    is problem($azora->delete($path, token => $bola)), 'not-found',
        'nobody else unlinks it';
    $begun = begin_link(token => $bola);
    $r = back(there($begun->{location}), $begun->{cookie});
    is problem($r), 'login-linked', 'or takes it over';
    is subject(login()), $dayo->{id}, 'it stays where it is';

    is $azora->delete($path, @dayo)->{status}, 204,
        'DELETE /v1/me/logins/{id}';
    is $azora->get('/v1/me', token => $in->{json}{access_token})->{status},
        401, 'ends the sessions that it opened';
    is $azora->get('/v1/me', @dayo)->{status}, 200, 'and no others';
    ok told('dayo', 'was removed'), 'which is told';
    is problem(login()), 'email-taken', 'it opens nothing any more';
    is problem($azora->delete($path, @dayo)), 'not-found', 'once';
};


subtest 'unlinked while somebody logs in with it' => sub {
    control(sub => 'gone', email => 'gone.there@example.org');
    my $gone = $azora->user('gone');
    my $begun = begin_link(token => $gone->{token});
    is back(there($begun->{location}), $begun->{cookie})->{status}, 204,
        'a login is linked';
    my $before = sessions();

    $begun = begin();
    my $answer = there($begun->{location});
    my $unlink = $azora->dbh;
    my $http = $azora->connect;

    $unlink->begin_work;
    $unlink->do('SELECT FROM identity.account WHERE id = ? FOR UPDATE', undef,
                $gone->{id});
    $unlink->do('DELETE FROM identity.external_login WHERE account = ?',
                undef, $gone->{id});
    $http->write(Azora::HTTP::format_request('GET',
        $answer =~ s{^https://azora\.test}{}r,
        headers => { Cookie => $begun->{cookie} }));
    ok poll_until(20 * $azora->patience, sub { $azora->value("SELECT count(*)
        FROM pg_stat_activity WHERE wait_event_type = 'Lock'
          AND query LIKE '%identity.oauth_login%'
          AND datname = current_database()") }), 'somebody comes with it';
    $unlink->commit;

    is problem($http->read_response), 'login-refused', 'too late';
    is sessions(), $before, 'no session is opened';
};


subtest 'linking for somebody else' => sub {
    my ($efe, $eve) = map { $azora->user($_) } qw(efe eve);
    my $linked = sub { return $azora->value('SELECT count(*)
        FROM identity.external_login WHERE account = ?', $_[0]{id}) };
    control(sub => 'eve-there', email => 'eve.there@example.org');

    my $hers = begin_link(token => $eve->{token});
    my $his = begin_link(token => $efe->{token});
    my $answer = there($hers->{location});
    is problem(back($answer, $his->{cookie})), 'login-refused',
        "an answer to her in his browser";
    my ($session) = $his->{cookie} =~ /\.([\w-]{36})\z/;
    is problem(back($answer, $hers->{cookie} =~ s/[\w-]{36}\z/$session/r)),
        'login-refused', 'his session in her cookie';
    is problem(back($answer, $hers->{cookie} =~ s/\.[\w-]{36}\z//r)),
        'login-refused', 'or none';
    my $login = begin();
    is problem(back(there($login->{location}),
                    "$login->{cookie}.$session")), 'login-refused',
        'a session in the cookie of a login';
    is $linked->($efe) + $linked->($eve), 0, 'nothing is linked';

    $azora->post('/v1/auth/logout', token => $eve->{token});
    is problem(back($answer, $hers->{cookie})), 'login-refused',
        'nor for a session that is over';
    is $linked->($eve), 0, 'in the meantime';

    is problem(begin_link()->{answer}), 'authentication-required',
        'nobody in particular';
    $azora->sql("UPDATE identity.session
        SET authenticated_at = now() - interval '16 minutes'
        WHERE account = ?", $efe->{id});
    is problem(begin_link(token => $efe->{token})->{answer}),
        'reauthentication-required', 'who logged in long ago';
    is begin_link(token => $efe->{token})->{location}, undef,
        'gets no way there';
    is $azora->post('/v1/me/logins', token => $efe->{token},
                    json => { provider => 'nowhere' })->{status}, 404,
        'nor does anybody to a provider that is none';
};


subtest 'the last way to log in' => sub {
    control(sub => 'femi', email => 'femi@example.org');
    my @femi = (token => login()->{json}{access_token});
    my $logins = $azora->get('/v1/me/logins', @femi)->{json};
    ok !$logins->{password}, 'no password';
    is problem($azora->delete("/v1/me/logins/$logins->{items}[0]{id}",
                              @femi)), 'last-login', 'stays';

    control(sub => 'femi-too', email => 'femi.too@example.org');
    my $begun = begin_link(@femi);
    is back(there($begun->{location}), $begun->{cookie})->{status}, 204,
        'with another one';
    is $azora->delete("/v1/me/logins/$logins->{items}[0]{id}",
                      @femi)->{status}, 204, 'it may go';
    control(sub => 'amina', email => 'amina@example.org');
};


subtest 'two factors, and locks' => sub {
    my $r = login();
    my $token = $r->{json}{access_token};
    my $secret = $azora->post('/v1/auth/totp', token => $token)
        ->{json}{secret};
    chomp(my $code = `oathtool --totp -b $secret`);
    is $azora->post('/v1/auth/totp/confirm', token => $token,
                    json => { code => $code })->{status}, 200,
        'a login at a provider is recent enough for a second factor';
    is $azora->value('SELECT array_to_string(amr, ?) FROM identity.session
        WHERE id = ?', ' ', (Azora::Token::parts($token))[1]{sid}),
        'oidc otp mfa', 'and stays one of a provider, without a password';

    $r = login();
    is problem($r), 'mfa-required', 'which is asked for then';
    $azora->sql('UPDATE identity.totp SET last_step = 1');
    chomp($code = `oathtool --totp -b $secret`);
    $r = $azora->post('/v1/auth/mfa', json => {
        mfa_token => $r->{json}{mfa_token}, code => $code });
    my (undef, $claims) = Azora::Token::parts($r->{json}{access_token});
    is_deeply [@$claims{qw(acr amr)}], ['2', [qw(oidc otp mfa)]],
        'and both are told';

    my @two = (token => $r->{json}{access_token});
    control(sub => 'amina-too', email => 'amina.too@example.org');
    my $begun = begin_link(@two);
    is back(there($begun->{location}), $begun->{cookie})->{status}, 204,
        'another login';
    my ($id) = map { $_->{id} } grep { $_->{subject} eq 'amina-too' }
        @{ $azora->get('/v1/me/logins', @two)->{json}{items} };
    my $waiting = login();
    is problem($waiting), 'mfa-required', 'waits for its code';
    is $azora->delete("/v1/me/logins/$id", @two)->{status}, 204,
        'is unlinked';
    $azora->sql('UPDATE identity.totp SET last_step = 1');
    chomp($code = `oathtool --totp -b $secret`);
    is problem($azora->post('/v1/auth/mfa', json => {
        mfa_token => $waiting->{json}{mfa_token}, code => $code })),
        'challenge-over', 'and opens nothing any more';
    control(sub => 'amina', email => 'amina@example.org');

    $azora->sql("UPDATE identity.account SET locked = true
        WHERE email = 'amina\@example.org'");
    is problem(login()), 'login-refused', 'a locked account stays locked';
};


subtest 'other ways' => sub {
    my $r = login('post');
    is problem($r), 'email-taken', 'a secret in the body buys a token too'
        or diag $r->{body};

    my $conf = "$azora->{dir}/nginx.conf";
    spew($conf, slurp($conf) =~ s{(azora_mail_dir)}
        {azora_oauth_return "https://app.example/in";\n    $1}r);
    $azora->reload;
    control(sub => 'efua', email => 'efua@example.org');
    $r = login();
    is $r->{status}, 303, 'the browser is sent on' or diag $r->{body};
    is $r->{headers}{location}, 'https://app.example/in', 'to the page';
    ok $r->{body} !~ /token/, 'which gets no token in the body';
    like $r->{headers}{'set-cookie'}, qr/__Secure-azora_refresh=[\w-]{43};/,
        'but can refresh';
};


subtest 'a provider that is not there' => sub {
    my $r = $azora->get('/v1/auth/oauth/gone/start');
    is $r->{status}, 503, 'is said';
    is problem($r), 'provider-unavailable', 'to be so';
    ok $r->{headers}{'retry-after'}, 'with a time to wait';
};

stop_providers();
done_testing;

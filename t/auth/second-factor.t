#!/usr/bin/perl

# The second factor: an authenticator is set up, logins ask for its codes,
# each code counts once, recovery codes stand in for it, and what is sensitive
# asks for a login that is recent and by both.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until slurp);
use Azora::Test;
use Azora::Token;
use Test::More;
use Time::HiRes ();

my $azora = Azora::Test->start(workers => 2);
my $password = 'a long pass phrase';


# A code of oathtool's, steps away from now; never so late in a step that it
# would be another one when it arrives.
sub code {
    my ($secret, $steps) = @_;

    poll_until(10, sub { time % 30 < 26 });
    my $at = time + 30 * ($steps || 0);
    my $code = `oathtool --totp -b --now=\@$at $secret`;
    chomp $code;
    return $code;
}


sub problem { return ($_[0]{json}{type} // '') =~ s{^/problems/}{}r }

sub login {
    my ($name) = @_;
    return $azora->post('/v1/auth/login', json => {
        email => "$name\@example.org", password => $password });
}

sub mfa {
    my ($challenge, $code) = @_;
    return $azora->post('/v1/auth/mfa', json => {
        mfa_token => $challenge->{json}{mfa_token}, code => $code });
}

sub entries {
    my ($type, $id) = @_;
    return $azora->value('SELECT count(*) FROM journal.entry e
        JOIN journal.payload p ON p.entry = e.id
        WHERE e.type = ? AND p.subject = ?', $type, $id);
}

# Codes that were taken are behind the clock: as if time had passed.
sub forget_step {
    $azora->sql('UPDATE identity.totp SET last_step = 1 WHERE account = ?',
                $_[0]{id});
}

# A person with an authenticator: secret, recovery codes, a token of before.
sub person {
    my ($name) = @_;
    my $p = $azora->user($name);
    my $r = $azora->post('/v1/auth/totp', token => $p->{token});
    $p->{secret} = $r->{json}{secret};
    $r = $azora->post('/v1/auth/totp/confirm', token => $p->{token},
                      json => { code => code($p->{secret}) });
    $p->{codes} = $r->{json}{recovery_codes}
        or die "confirm: $r->{status} $r->{body}\n";
    forget_step($p);
    return $p;
}


my $amina = $azora->user('amina');
my $elsewhere = $azora->login('amina');
my @amina = (token => $amina->{token});


subtest 'setting it up' => sub {
    my $r = $azora->post('/v1/auth/totp', @amina);
    is $r->{status}, 200, 'a secret';
    is $r->{headers}{'cache-control'}, 'no-store', 'that nobody stores';
    like $r->{json}{secret}, qr/\A[A-Z2-7]{32}\z/, 'of 20 bytes';
    is $r->{json}{uri}, 'otpauth://totp/Azora:amina%40example.org?secret='
        . "$r->{json}{secret}&issuer=Azora&algorithm=SHA1&digits=6&period=30",
        'as authenticators read it';
    like $r->{json}{qr_svg},
        qr{\A<svg [^>]*viewBox="0 0 (\d+) \1".*</svg>\z}, 'and as a picture';
    my $row = $azora->value('SELECT sealed FROM identity.totp');
    like $row, qr/\A\$azs\$[0-9a-f]{8}\$[\w-]{100,}\z/, 'which is kept sealed';
    is $azora->value('SELECT count(*) FROM identity.totp t
        WHERE t::text LIKE ?', "%$r->{json}{secret}%"), 0, 'and not as it is';

    my $again = $azora->post('/v1/auth/totp', @amina);
    isnt $again->{json}{secret}, $r->{json}{secret}, 'another takes its place';
    $amina->{secret} = $again->{json}{secret};
    is login('amina')->{status}, 200, 'none is in force before its first code';

    my $wrong = $azora->post('/v1/auth/totp/confirm', @amina,
        json => { code => code($r->{json}{secret}) });
    is $wrong->{status}, 422, "the former one's code";
    is problem($wrong), 'wrong-code', 'is wrong';
    is $azora->post('/v1/auth/totp', @amina,
                    json => { sealed => 'x' })->{status}, 400,
        'what is sealed here is not taken from a client';

    my $code = $amina->{first} = code($amina->{secret});
    $r = $azora->post('/v1/auth/totp/confirm', @amina,
                      json => { code => substr($code, 0, 3) . ' '
                                        . substr($code, 3) });
    is $r->{status}, 200, 'its own, as it is shown';
    is $r->{headers}{'cache-control'}, 'no-store', 'answers what nobody stores';
    $amina->{codes} = $r->{json}{recovery_codes};
    my %codes = map { $_ => 1 } grep {
        /\A(?:[0-9a-hjkmnp-tv-z]{6}-){3}[0-9a-hjkmnp-tv-z]{5}\z/
    } @{ $amina->{codes} };
    is scalar keys %codes, 10, 'ten different recovery codes of 23 characters';
    is entries('user.second_factor_added', $amina->{id}), 1, 'in the journal';

    is $azora->get('/v1/me', token => $elsewhere)->{status}, 401,
        'who logged in by the password alone is out';
    is $azora->get('/v1/me', @amina)->{status}, 200, 'but for this session';
    $r = $azora->post('/v1/auth/totp', @amina);
    is $r->{status}, 409, 'a second authenticator';
    is problem($r), 'second-factor-exists', 'is one too many';
    is problem($azora->post('/v1/auth/totp/confirm', @amina,
        json => { code => '123456' })), 'no-second-factor',
        'and nothing waits for a code';
};


subtest 'logging in' => sub {
    my $sessions = sub { $azora->value('SELECT count(*) FROM identity.session
        WHERE account = ? AND revoked_at IS NULL', $amina->{id}) };
    my $before = $sessions->();
    my $r = login('amina');
    is $r->{status}, 401, 'the password is not enough';
    is problem($r), 'mfa-required', 'a code is needed';
    like $r->{json}{mfa_token}, qr/\A[0-9a-f]{64}\z/, 'with this token';
    is $r->{json}{expires_in}, 300, 'within five minutes';
    ok !exists $r->{json}{access_token}, 'no token yet';
    ok !exists $r->{headers}{'set-cookie'}, 'no cookie either';
    is $sessions->(), $before, 'and no session';
    is problem($azora->post('/v1/auth/login', json => {
        email => 'amina@example.org', password => 'not her password' })),
        'invalid-credentials', 'a wrong password does not get there';

    is problem(mfa($r, $amina->{first})), 'wrong-code',
        'the code of the set-up was used';
    forget_step($amina);
    my $code = code($amina->{secret});
    my $in = mfa($r, $code);
    is $in->{status}, 200, 'a fresh one logs in';
    my (undef, $claims) = Azora::Token::parts($in->{json}{access_token});
    is $claims->{acr}, '2', 'with two factors';
    is_deeply $claims->{amr}, [qw(pwd otp mfa)], 'which are named';
    is $azora->get('/v1/me', token => $in->{json}{access_token})->{status},
        200, 'the token is good';
    is problem(mfa($r, $code)), 'challenge-over', 'the challenge is over';

    is problem(mfa(login('amina'), $code)), 'wrong-code',
        'and the code was used, for another login too';
    is problem(mfa({ json => { mfa_token => '0' x 64 } }, $code)),
        'challenge-over', 'a token that was never given';
};


subtest 'a refresh tells the same' => sub {
    forget_step($amina);
    my $r = $azora->post('/v1/auth/mfa', json => {
        mfa_token => login('amina')->{json}{mfa_token},
        code => code($amina->{secret}), refresh => 'body' });
    $r = $azora->post('/v1/auth/refresh', json => {
        refresh_token => $r->{json}{refresh_token} });
    is $r->{status}, 200, 'a refresh';
    my (undef, $claims) = Azora::Token::parts($r->{json}{access_token});
    is $claims->{acr}, '2', 'is still of two factors';
};


subtest 'clocks' => sub {
    for my $steps (-1, 0, 1) {
        forget_step($amina);
        my $r = mfa(login('amina'), code($amina->{secret}, $steps));
        is $r->{status}, 200, "$steps steps off";
    }

    is problem(mfa(login('amina'), code($amina->{secret}, -1))), 'wrong-code',
        'an earlier code than the last';

    for my $steps (-2, 2) {
        forget_step($amina);
        $azora->sql('DELETE FROM identity.login_failure');
        is problem(mfa(login('amina'), code($amina->{secret}, $steps))),
            'wrong-code', "$steps steps off";
    }
};


subtest 'one code at once' => sub {
    forget_step($amina);
    $azora->sql('DELETE FROM identity.login_failure');
    my $code = code($amina->{secret});
    my @challenges = map { login('amina') } 1 .. 4;
    my @open = map {
        my $http = $azora->connect;
        $http->write(Azora::HTTP::format_request('POST', '/v1/auth/mfa',
            json => { mfa_token => $_->{json}{mfa_token}, code => $code }));
        $http } @challenges;
    my @statuses = sort map { $_->read_response->{status} } @open;
    is "@statuses", '200 401 401 401', 'logs in once';
};


subtest 'guessing' => sub {
    my $p = person('chidi');
    my $challenge = login('chidi');

    for my $n (1 .. 5) {
        $azora->sql('UPDATE identity.login_failure SET blocked_until = NULL');
        is problem(mfa($challenge, '000000')), 'wrong-code', "guess $n";
    }
    is problem(mfa($challenge, code($p->{secret}))), 'challenge-over',
        'five are all, then even the right one is late';
    is entries('user.second_factor_failed', $p->{id}), 5, 'all journaled';

    $azora->sql("UPDATE identity.login_failure SET blocked_until = NULL,
        failures = 7");
    $challenge = login('chidi');
    is problem($challenge), 'mfa-required', 'a new challenge';
    is problem(mfa($challenge, '000000')), 'wrong-code', 'has its own tries';
    is problem(mfa($challenge, code($p->{secret}))), 'too-many-attempts',
        'but failures add up, the right password forgives none';
    is problem(login('chidi')), 'too-many-attempts', 'whatever is tried';

    $azora->sql('UPDATE identity.login_failure SET blocked_until = NULL');
    is mfa($challenge, code($p->{secret}))->{status}, 200, 'after the wait';
    is $azora->value('SELECT count(*) FROM identity.login_failure
        WHERE principal = sha256(?::bytea)', 'chidi@example.org'), 0,
        'the right code forgives all';

    my @waiting = map { login('chidi') } 1 .. 12;
    is $azora->value('SELECT count(*) FROM identity.challenge
        WHERE account = ?', $p->{id}), 10, 'at most ten logins wait';
    is problem(mfa($waiting[0], '000000')), 'challenge-over',
        'the oldest gave way';

    $azora->sql("UPDATE identity.challenge
        SET created_at = now() - interval '6 minutes',
            expires_at = now() - interval '1 minute'");
    forget_step($p);
    is problem(mfa($waiting[11], code($p->{secret}))), 'challenge-over',
        'after five minutes it is over';
    cmp_ok $azora->value('SELECT azora.purge(100)'), '>=', 10,
        'and then forgotten';
    is $azora->value('SELECT count(*) FROM identity.challenge'), 0, 'all';
};


subtest 'a new password' => sub {
    my $p = person('halima');
    my $waiting = login('halima');
    is problem($waiting), 'mfa-required', 'the old password waits for a code';
    is $azora->post('/v1/auth/password', token => $p->{token}, json => {
        current_password => $password, new_password => 'another pass phrase'
    })->{status}, 204, 'and is changed';
    forget_step($p);
    is problem(mfa($waiting, code($p->{secret}))), 'challenge-over',
        'it opens nothing any more';
};


subtest 'recovery codes' => sub {
    my $p = person('dayo');
    my $code = $p->{codes}[3];
    is $azora->value('SELECT count(*) FROM identity.recovery_code c
        WHERE c::text LIKE ?', "%$code%"), 0, 'are not stored as they are';

    my $challenge = login('dayo');
    my $typed = uc($code =~ s/-/ /gr) =~ s/0/o/gr =~ s/1/L/gr;
    my $r = mfa($challenge, $typed);
    is $r->{status}, 200, 'one logs in, as people type';
    is entries('user.recovery_code_used', $p->{id}), 1, 'journaled';
    is problem(mfa(login('dayo'), $code)), 'wrong-code', 'once';
    is problem(mfa(login('dayo'), $amina->{codes}[0])), 'wrong-code',
        "somebody else's";

    $r = $azora->post('/v1/auth/recovery-codes',
                      token => $r->{json}{access_token});
    is $r->{status}, 200, 'new ones';
    is problem(mfa(login('dayo'), $p->{codes}[4])), 'wrong-code',
        'take the place of the old';
    is mfa(login('dayo'), $r->{json}{recovery_codes}[9])->{status}, 200,
        'and are good';
    is problem($azora->post('/v1/auth/recovery-codes',
        token => $azora->user('efe')->{token})), 'no-second-factor',
        'only with a second factor';
};


subtest 'a login that is recent and strong enough' => sub {
    my $p = person('fatou');
    my @old = (token => $p->{token});
    my $age = sub { $azora->sql("UPDATE identity.session
        SET authenticated_at = now() - interval '$_[0]' WHERE account = ?",
        $p->{id}) };

    $age->('16 minutes');
    for (['DELETE', '/v1/auth/totp'], ['POST', '/v1/auth/recovery-codes']) {
        my $r = $azora->request(@$_, @old);
        is $r->{status}, 401, "@$_ after 16 minutes";
        is problem($r), 'reauthentication-required', 'asks for a login';
        is $r->{json}{max_age}, 900, 'of 15 minutes';
        is $r->{json}{acr_values}, '2', 'with both factors';
        like $r->{headers}{'www-authenticate'},
            qr/\ABearer error="insufficient_user_authentication"/,
            'as RFC 9470 says it';
    }

    $age->('1 minute');
    $azora->sql("UPDATE identity.session SET acr = '1' WHERE account = ?",
                $p->{id});
    is problem($azora->delete('/v1/auth/totp', @old)),
        'reauthentication-required', 'recent, but by the password alone';

    my $r = mfa(login('fatou'), code($p->{secret}));
    my @new = (token => $r->{json}{access_token});
    is $azora->delete('/v1/auth/totp', @new)->{status}, 204, 'turned off';
    is $azora->get('/v1/me', @old)->{status}, 401, 'other sessions ended';
    is entries('user.second_factor_removed', $p->{id}), 1, 'journaled';
    is login('fatou')->{status}, 200, 'the password is enough again';
    is $azora->delete('/v1/auth/totp', @new)->{status}, 404, 'it is gone';
    is $azora->value('SELECT count(*) FROM identity.recovery_code
        WHERE account = ?', $p->{id}), 0, 'with its recovery codes';

    $age->('16 minutes');
    is problem($azora->post('/v1/auth/totp', @new)),
        'reauthentication-required', 'setting one up needs a recent login too';
};


subtest 'the key of the vault changes' => sub {
    my $p = person('gugu');
    my $file = "$azora->{dir}/keys/vault";
    my $old = do { local @ARGV = $file; <> };
    my $sealed = sub { $azora->value('SELECT sealed FROM identity.totp
        WHERE account = ?', $p->{id}) };
    my $before = $sealed->();
    my $write = sub {
        open my $out, '>', $file or die "$file: $!\n";
        print $out @_;
        close $out;
        $azora->reload;
    };

    $write->('ab' x 32 . "\n", $old);
    my $r = mfa(login('gugu'), code($p->{secret}));
    is $r->{status}, 200, 'an older key still opens';
    isnt substr($sealed->(), 0, 14), substr($before, 0, 14),
        'and the secret is sealed with the new one';

    $write->('ab' x 32 . "\n");
    forget_step($p);
    is mfa(login('gugu'), code($p->{secret}))->{status}, 200,
        'so the old key can go';

    my $mark = $azora->mark;
    is mfa(login('amina'), code($amina->{secret}))->{status}, 500,
        'not for those who did not log in meanwhile';
    ok $azora->wait_log(qr/is not in azora_auth_vault/, $mark), 'which is said';
    is mfa(login('amina'), $amina->{codes}[0])->{status}, 200,
        'a recovery code still helps';
};


subtest 'nothing secret in the logs' => sub {
    my $logs = $azora->error_log;
    ok $logs !~ /\Q$amina->{secret}\E|\Q$amina->{codes}[0]\E/,
        'neither secret nor code';
};

subtest 'lost, with the recovery codes' => sub {
    my $lost = person('lost');
    my $admin = $azora->user('admin', roles => ['admin']);
    my $path = "/v1/admin/users/$lost->{id}/totp";
    my $remove = sub { return $azora->delete($_[0], token => $_[1]) };

    is $remove->($path, $lost->{token})->{status}, 403, 'no member';
    $azora->sql("UPDATE identity.session
        SET authenticated_at = now() - interval '16 minutes'
        WHERE account = ?", $admin->{id});
    is problem($remove->($path, $admin->{token})),
        'reauthentication-required', 'nor an admin who left a session open';

    my $token = $azora->login('admin');
    is problem($remove->("/v1/admin/users/$admin->{id}/totp", $token)),
        'own-account', 'nor their own';
    is $azora->get('/v1/me', token => $lost->{token})->{status}, 200,
        'nothing happened so far';

    my $waiting = login('lost');
    is $remove->($path, $token)->{status}, 204,
        'DELETE /v1/admin/users/{id}/totp';
    is $azora->get('/v1/me', token => $lost->{token})->{status}, 401,
        'all sessions are over';
    is problem(mfa($waiting, code($lost->{secret}))), 'challenge-over',
        'and what waited for a code';
    is login('lost')->{status}, 200, 'the password logs in';
    is $azora->value('SELECT count(*) FROM identity.recovery_code
        WHERE account = ?', $lost->{id}), 0, 'the codes are gone';
    is $azora->value("SELECT p.body ->> 'by' FROM journal.entry e
        JOIN journal.payload p ON p.entry = e.id
        WHERE e.type = 'user.second_factor_removed' AND p.subject = ?",
        $lost->{id}), $admin->{id}, 'who did it is journaled';
    ok poll_until(20 * $azora->patience, sub {
        grep { /^To: <lost\@.*^Subject: .*turned off for you\r$/ms }
        map { slurp($_) } glob "$azora->{dir}/mail/*.eml" }),
        'and its person is told';
    is problem($remove->($path, $token)), 'not-found', 'once';
};


done_testing;

#!/usr/bin/perl

# What is sent by mail: an address is proved, a forgotten password replaced,
# people are told what happens to their accounts; and nothing of it tells a
# stranger who has an account here.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until slurp spew);
use Azora::Server;
use Azora::Test;
use MIME::Base64 qw(decode_base64);
use Test::More;

my $azora = Azora::Test->start(workers => 2);
my $old = 'a long pass phrase';
my $new = 'another good phrase';


# Mails in the folder to an address, oldest first, as {head, body, token}
sub mails {
    my ($to, $subject) = @_;
    my @mails;

    for my $file (sort glob "$azora->{dir}/mail/*.eml") {
        my ($head, $body) = split /\r\n\r\n/, slurp($file), 2;
        next if $head !~ /^To: <\Q$to\E>\r$/m;
        next if $subject && $head !~ /^Subject: .*$subject/m;
        my ($token) = $body =~ /#token=([\w-]{43})\r/;
        push @mails, { file => $file, head => $head, body => $body,
                       token => $token };
    }
    return @mails;
}

sub wait_mail {
    my ($to, $subject, $n) = @_;
    my @mails;

    poll_until(20 * $azora->patience, sub {
        @mails = mails($to, $subject);
        return @mails >= ($n || 1) });
    return $mails[-1] || {};
}

# Nothing is left to be sent.
sub quiet {
    return poll_until(20 * $azora->patience, sub {
        !$azora->value("SELECT count(*) FROM journal.job
                        WHERE kind = 'mail' AND state = 'waiting'") });
}

# Two workers may make mails for one person at once: the second token waits
# until it is known whether the first was one too many.
sub is_counted_once {
    my ($email) = @_;
    my ($first, $second) = map { $azora->dbh } 1 .. 2;
    my $keep = sub {
        return $_[0]->selectrow_array(q{
            SELECT identity.keep_token(a.id, 'password-reset', a.email,
                                       repeat(?, 32))
            FROM identity.account AS a WHERE a.email = ?
        }, undef, $_[1], $email);
    };

    $azora->sql('DELETE FROM identity.one_time_token WHERE hash = (
                     SELECT t.hash FROM identity.one_time_token AS t LIMIT 1)');
    $second->do("SET lock_timeout = '100ms'");

    $first->begin_work;
    ok $keep->($first, 'aa'), 'the fifth is kept';
    ok !eval { $keep->($second, 'bb'); 1 }, 'the sixth waits for it';
    is $second->state, '55P03', 'for its lock';
    $first->rollback;

    ok $keep->($first, 'aa'), 'the fifth is there';
    ok !$keep->($second, 'bb'), 'the sixth is one too many';
    $_->disconnect for $first, $second;
}

sub problem { return ($_[0]{json}{type} // '') =~ s{^/problems/}{}r }

sub login {
    my ($name, $password) = @_;
    return $azora->post('/v1/auth/login', json => {
        email => "$name\@example.org", password => $password });
}

sub verify { return $azora->post('/v1/auth/email/verify', json => { @_ }) }

sub forgot {
    return $azora->post('/v1/auth/password/forgot', json => {
        email => $_[0] });
}

sub reset_to {
    my ($token, $password) = @_;
    return $azora->post('/v1/auth/password/reset', json => {
        token => $token, new_password => $password });
}


my $amina = $azora->register('amina');


subtest 'proving an address' => sub {
    my $mail = wait_mail('amina@example.org', 'is this your address');
    like $mail->{head}, qr/^From: "Azora" <no-reply\@localhost>\r$/m, 'a mail';
    like $mail->{head}, qr/^Subject: Azora: is this your address\?\r$/m,
        'that says what it is about';
    like $mail->{head}, qr/^Date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} \+0000\r$/m,
        'its date';
    like $mail->{head}, qr/^Message-ID: <[0-9a-f-]{36}\@localhost>\r$/m,
        'and its id';
    like $mail->{head}, qr/^Auto-Submitted: auto-generated\r$/m,
        'no answer is wanted';
    like $mail->{body},
        qr{^https://azora\.test/verify-email#token=[\w-]{43}\r$}m, 'a link';
    unlike $mail->{body},
        qr/[{}]|(?<!\r)\n/, 'all filled in, lines as in mails';
    is sprintf('%04o', (stat $mail->{file})[2] & 07777), '0600',
        'nobody else reads it';
    is $azora->value('SELECT count(*) FROM identity.one_time_token t
        WHERE t::text LIKE ?', "%$mail->{token}%"), 0,
        'the token is nowhere in the database';

    is problem(verify(token => 'x' x 43)), 'link-over', 'another token';
    my $r = verify(token => $mail->{token});
    is $r->{status}, 200, 'the link';
    is $r->{json}{email}, 'amina@example.org', 'proves the address';
    ok $azora->value('SELECT email_verified_at IS NOT NULL
        FROM identity.account WHERE email = ?', 'amina@example.org'),
        'which is kept';
    is $azora->value("SELECT count(*) FROM journal.entry
        WHERE type = 'user.email_verified'"), 1, 'and journaled';
    is problem(verify(token => $mail->{token})), 'link-over', 'once';
    my $token = login('amina', $old)->{json}{access_token};
    ok $azora->get('/v1/me', token => $token)->{json}{email_verified},
        'her account says so';

    is verify()->{status}, 422, 'neither token nor address';
    is verify(token => 'x', email => 'a@example.org')->{status}, 422,
        'nor both';
};


subtest 'another mail' => sub {
    $azora->register('bola');
    my $first = wait_mail('bola@example.org', 'your address');
    for my $who (qw(bola nobody amina)) {
        my $r = verify(email => uc $who . '@example.org');
        is $r->{status}, 202, "for $who";
        is $r->{body}, '{}', 'whoever that is';
    }

    my $second = wait_mail('bola@example.org', 'your address', 2);
    isnt $second->{token}, $first->{token}, 'has its own token';
    is verify(token => $first->{token})->{status}, 200, 'the first still works';
    ok quiet(), 'all is sent';
    is scalar(mails('amina@example.org', 'your address')), 1,
        'whose address is proved gets none';
    is scalar(mails('nobody@example.org')), 0, 'nor does a stranger';
};


subtest 'a forgotten password' => sub {
    my $session = login('amina', $old)->{json}{access_token};
    login('amina', "wrong $_") for 1 .. 6;
    is problem(login('amina', $old)), 'too-many-attempts', 'locked out';

    my @answers = map { forgot("$_\@example.org") } qw(amina nobody);
    is $_->{status}, 202, 'a mail is asked for' for @answers;
    is $answers[0]{body}, $answers[1]{body}, 'with one answer for all';

    my $mail = wait_mail('amina@example.org', 'a new password');
    like $mail->{body}, qr{^https://azora\.test/reset-password\#token=}m,
        'it comes';
    is problem(verify(token => $mail->{token})), 'link-over',
        'and proves no address';
    is problem(reset_to($mail->{token}, 'password123')), 'common-password',
        'a common password';
    is problem(reset_to($mail->{token}, 'amina.example1')), 'common-password',
        'or one made of the address';
    is problem(reset_to('x' x 43, $new)), 'link-over', 'another token';

    my $r = reset_to($mail->{token}, $new);
    is $r->{status}, 204, 'a good one is taken' or diag $r->{body};
    is problem(reset_to($mail->{token}, $old)), 'link-over', 'once';
    is $azora->get('/v1/me', token => $session)->{status}, 401,
        'all sessions ended';
    is problem(login('amina', $old)), 'invalid-credentials',
        'the old password is gone';
    is login('amina', $new)->{status}, 200, 'the new one logs in, at once';
    is $azora->value("SELECT count(*) FROM journal.entry
        WHERE type = 'user.password_reset'"), 1, 'it is journaled';
    like wait_mail('amina@example.org', 'was changed')->{body},
        qr/was changed at \d{4}-\d\d-\d\d \d\d:\d\d UTC/,
        'and its owner is told';
};


# Whoever opened the account need not be who has the address.
subtest 'an address that was not proved' => sub {
    my ($proved, $squat) = map { $azora->register($_) } qw(proved squat);
    my $logins = sub { return $azora->value('SELECT count(*)
        FROM identity.external_login WHERE account = ?', $_[0]{id}) };

    verify(token => wait_mail('proved@example.org', 'your address')->{token});
    $azora->sql("INSERT INTO identity.external_login (issuer, subject, account)
                 VALUES ('https://idp.example', ?::text, ?)", @$_{qw(id id)})
        for $proved, $squat;

    for (qw(proved squat)) {
        forgot("$_\@example.org");
        my $mail = wait_mail("$_\@example.org", 'a new password');
        is reset_to($mail->{token}, $new)->{status}, 204, 'a new password';
    }

    is $logins->($proved), 1, 'leaves logins at providers to who proved it';
    is $logins->($squat), 0, 'and none that were linked before';
    is $azora->value("SELECT count(*) FROM journal.entry e
        JOIN journal.payload p ON p.entry = e.id
        WHERE e.type = 'user.login_unlinked' AND p.subject = ?",
        $squat->{id}), 1, 'which is journaled';
};


subtest 'links' => sub {
    forgot('bola@example.org');
    my $one = wait_mail('bola@example.org', 'a new password');
    forgot('bola@example.org');
    my $two = wait_mail('bola@example.org', 'a new password', 2);

    my @open = map {
        my $http = $azora->connect;
        $http->write(Azora::HTTP::format_request('POST',
            '/v1/auth/password/reset', json => {
                token => $one->{token}, new_password => "$new $_" }));
        $http } 1 .. 3;
    my @statuses = sort map { $_->read_response->{status} } @open;
    is "@statuses", '204 404 404', 'one link at once works once';
    is problem(reset_to($two->{token}, $new)), 'link-over',
        'and ends the other links';

    ok quiet(), 'all mails are sent';
    $azora->sql('DELETE FROM identity.one_time_token');
    forgot('bola@example.org') for 1 .. 6;
    ok quiet(), 'six more are asked for';
    is scalar(mails('bola@example.org', 'a new password')), 7,
        'an account gets five within the hour';

    is_counted_once('bola@example.org');

    my $last = wait_mail('bola@example.org', 'a new password');
    $azora->sql("UPDATE identity.one_time_token
        SET created_at = now() - interval '2 hours',
            expires_at = now() - interval '1 hour'");
    is problem(reset_to($last->{token}, $new)), 'link-over',
        'after an hour it is over';
    $azora->sql("UPDATE identity.one_time_token
        SET expires_at = expires_at - interval '1 day',
            created_at = created_at - interval '1 day'");
    $azora->value('SELECT azora.purge(100)');
    is $azora->value('SELECT count(*) FROM identity.one_time_token'), 0,
        'and forgotten a day later';

    $azora->sql("UPDATE identity.account SET locked = true
        WHERE email = 'bola\@example.org'");
    forgot('bola@example.org');
    ok quiet(), 'a locked account';
    is scalar(mails('bola@example.org', 'a new password')), 7, 'gets no mail';
};


subtest 'what people are told' => sub {
    my $chidi = $azora->user('chidi');
    my $agent = sub {
        return $azora->post('/v1/auth/login',
            headers => { 'User-Agent' => $_[0] }, json => {
                email => 'chidi@example.org', password => $old });
    };
    $agent->('first');
    ok quiet(), 'the first logins';
    is scalar(mails('chidi@example.org', 'new device')), 0, 'are no news';
    $azora->sql("UPDATE identity.session SET address_prefix = '10.0.0.0/24',
        agent = 'other' WHERE account = ?", $chidi->{id});
    $agent->('http://evil.example/');
    my $mail = wait_mail('chidi@example.org', 'new device');
    like $mail->{body}, qr{127\.0\.0\.0/24}, 'a new network and device are';
    unlike $mail->{body}, qr/evil/, 'but what it calls itself is not told';

    my $token = $azora->post('/v1/auth/login', json => {
        email => 'chidi@example.org', password => $old,
        refresh => 'body' })->{json}{refresh_token};
    my $refresh = sub { $azora->post('/v1/auth/refresh', json => {
        refresh_token => $_[0] }) };
    $refresh->($refresh->($token)->{json}{refresh_token});
    is $refresh->($token)->{status}, 401, 'a refresh token used twice';
    ok wait_mail('chidi@example.org', 'session was ended')->{body},
        'is told to its owner';
};


subtest 'links of before' => sub {
    my $dayo = $azora->user('dayo');
    forgot('dayo@example.org');
    my $mail = wait_mail('dayo@example.org', 'a new password');
    is $azora->post('/v1/auth/password', token => $dayo->{token}, json => {
        current_password => $old, new_password => $new })->{status}, 204,
        'a password is changed';
    is problem(reset_to($mail->{token}, $old)), 'link-over', 'they are over';
    ok wait_mail('dayo@example.org', 'was changed')->{body},
        'its owner is told';
};


subtest 'the same time for all' => sub {
    my (%times, %statuses);
    my $http = $azora->connect;

    # in no order that what goes on behind could follow
    for my $n (1 .. 200) {
        my $known = int rand 2;
        my $email = ($known ? 'amina' : "nobody$n") . '@example.org';
        my $from = Time::HiRes::time();
        my $r = $azora->post('/v1/auth/password/forgot',
            connection => $http, json => { email => $email });
        push @{ $times{$known} }, Time::HiRes::time() - $from;
        $statuses{ $r->{status} }++;
    }

    my ($unknown, $known) = map {
        my @sorted = sort { $a <=> $b } @{ $times{$_} };
        $sorted[@sorted / 2] } 0, 1;
    note sprintf 'median: known %.2f ms, unknown %.2f ms', 1000 * $known,
        1000 * $unknown;
    is_deeply \%statuses, { 202 => 200 }, 'all are accepted';
    cmp_ok $known, '<', 2 * $unknown + 0.002, 'known ones are not slower';
    cmp_ok $unknown, '<', 2 * $known + 0.002, 'nor faster';
};


# Takes one mail; late@ is put off, never@ refused.
sub smtp {
    my ($self, $socket) = @_;
    my %mail = (path => 'mail');

    print $socket "220 test\r\n";
    while (my $line = <$socket>) {
        if ($line =~ /^RCPT TO:<((late|never)?.*)>/i) {
            my $answer = !$2 ? '250 yes'
                : $2 eq 'late' ? '451 later' : '550 no';
            $mail{to} = $1;
            $self->note(\%mail) if $2;
            print $socket "$answer\r\n";
        } elsif ($line =~ /^DATA/i) {
            print $socket "354 go on\r\n";
            while (defined($line = <$socket>) && $line ne ".\r\n") {
                $mail{message} .= $line;
            }
            $self->note(\%mail);
            print $socket "250 taken\r\n";
        } elsif ($line =~ /^QUIT/i) {
            print $socket "221 bye\r\n";
            last;
        } else {
            print $socket "250 yes\r\n";
        }
    }
    return '';
}


subtest 'a server for mail' => sub {
    my $smtp = Azora::Server->start(\&smtp, lines => 1);
    my $other = Azora::Test->start(workers => 1,
        http => "azora_auth_name 'L\x{e9}arn & Earn'; azora_mail_from"
            . " hello\@learn.example; azora_mail_link https://app.example/;",
        edit => sub { s{azora_mail_dir.*;}
            {azora_mail_smtp smtp://127.0.0.1:$smtp->{port} tls=optional;} });
    my $sent = sub {
        my ($to, $n) = @_;
        my @mails;
        poll_until(20 * $azora->patience, sub {
            @mails = grep { $_->{to} =~ /$to/ } $smtp->requests;
            return @mails >= ($n || 1) });
        return $mails[-1];
    };
    my $register = sub { $other->post('/v1/auth/register', json => {
        email => "$_[0]\@example.org", password => $old, name => 'X' }) };
    my $state = sub {
        return $other->value("SELECT j.state || ' ' || j.failures
            FROM journal.job j JOIN identity.account a ON a.id = j.subject
            WHERE a.email = ?", "$_[0]\@example.org") // 'gone';
    };

    $register->('amina');
    my $mail = $sent->('amina');
    like $mail->{message},
        qr/^From: =\?utf-8\?B\?([\w+\/=]+)\?= <hello\@learn\.example>\r$/m,
        'is handed to it';
    my ($word) = $mail->{message} =~ /^From: =\?utf-8\?B\?([\w+\/=]+)/m;
    like decode_base64($word), qr/^L.+arn & Earn\z/s, 'with a name in UTF-8';
    like $mail->{message}, qr{^https://app\.example/verify-email#token=}m,
        'the links lead to the pages';
    like $mail->{message}, qr/^Content-Transfer-Encoding: 8bit\r$/m,
        'the coding is said';
    ok poll_until(10, sub { $state->('amina') eq 'gone' }), 'then it is done';

    $register->('never');
    $sent->('never');
    ok poll_until(10, sub { $state->('never') eq 'dead 1' }),
        'what it refuses is not tried again';
    $register->('late');
    $sent->('late');
    ok poll_until(10, sub { $state->('late') eq 'waiting 1' }),
        'what it puts off is';
    $other->sql('UPDATE journal.job SET not_before = now()');
    $other->sql('SELECT journal.wake_jobs()');
    ok $sent->('late', 2), 'and tried again';
    is $other->value("SELECT count(*) FROM identity.one_time_token t
        JOIN identity.account a ON a.id = t.account
        WHERE a.email = 'late\@example.org'"), 2, 'with another token';
};

done_testing;

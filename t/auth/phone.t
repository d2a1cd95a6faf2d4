#!/usr/bin/perl

# Phone numbers: a code proves one, guesses and messages are limited, and who
# did not prove the address of their mail is told by SMS what happens.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until slurp);
use Azora::Story qw(documented is_problem journaled);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 2);
my $number = '+254712345678';


# Messages to a phone, oldest first
sub messages {
    my ($to, $node) = @_;
    $node ||= $azora;
    return map { /\r\n\r\n(.*)\z/s }
           grep { /^To: <\Q$to\E>\r$/m }
           map { slurp($_) } sort glob "$node->{dir}/mail/*.eml";
}

# The nth of them
sub message {
    my ($to, $n) = @_;
    my @messages;
    poll_until(20 * $azora->patience, sub {
        @messages = messages("$to\@sms.localhost");
        return @messages >= $n });
    return $messages[$n - 1] // '';
}

sub code { return message(@_) =~ /\A(\d{6}) is your code/ ? $1 : 'none' }

sub phone {
    my ($who, $to) = @_;
    return $azora->patch('/v1/me', token => $who->{token},
                         json => { phone => $to });
}

sub confirm {
    my ($who, $code) = @_;
    return $azora->post('/v1/me/phone/confirm', token => $who->{token},
                        json => { code => "$code" });
}

sub known {
    my ($who) = @_;
    return $azora->get('/v1/me', token => $who->{token})->{json}{phone};
}

sub wrong { return sprintf '%06d', ($_[0] + 1) % 1_000_000 }


my $amina = $azora->user('amina');


subtest 'a number is proved' => sub {
    for my $bad ('0712345678', '+0712345678', '+254712', '+25471234567890123',
                 '+254 712345678', "+254712345678\n", 'x@y.example') {
        is_problem(phone($amina, $bad), 422, 'validation-failed', '/phone');
    }
    is_problem(confirm($amina, '123456'), 409, 'wrong-state');
    is_problem(confirm($amina, '12'), 422, 'validation-failed', '/code');
    is confirm($amina, '12')->{json}{errors}[0]{detail},
        'is too short: exactly 6 bytes are allowed', 'in a sentence';

    my $r = phone($amina, $number);
    is $r->{status}, 200, 'a number is wanted' or diag $r->{body};
    is $r->{json}{phone}, undef, 'which is nobody\'s yet';
    my $code = code($number, 1);
    is message($number, 1), "$code is your code for Azora. It is good for ten "
        . "minutes. Tell it to nobody.\r\n", 'gets a code';
    is $azora->value("SELECT count(*) FROM identity.phone_code c
        WHERE encode(c.hash, 'hex') = encode(sha256(?), 'hex')", $code), 0,
        'of which the database has no plain hash';

    is_problem(confirm($amina, wrong($code)), 422, 'wrong-code', '/code');
    is known($amina), undef, 'another code proves nothing';
    my $bola = $azora->user('bola');
    is_problem(confirm($bola, $code), 409, 'wrong-state');

    $r = confirm($amina, $code);
    documented($azora, $r, 'POST /v1/me/phone/confirm');
    is $r->{json}{phone}, $number, 'the code makes it hers';
    is known($amina), $number, 'as her account says';
    is journaled($azora, 'user.phone_verified'), 1, 'which is journaled';
    is $azora->value("SELECT count(*) FROM journal.payload
        WHERE body::text LIKE ?", "%$number%"), 0, 'without the number';
    is_problem(confirm($amina, $code), 409, 'wrong-state');
    is phone($amina, $number)->{status}, 200, 'the same number again';
    is $azora->value('SELECT count(*) FROM identity.phone_code
        WHERE account = ?', $amina->{id}), 1, 'is sent nothing';
};


subtest 'guessing' => sub {
    my $chidi = $azora->user('chidi');
    my $to = '+233201234567';
    phone($chidi, $to);
    my $code = code($to, 1);
    confirm($chidi, wrong($code)) for 1 .. 4;
    is_problem(confirm($chidi, wrong($code)), 422, 'wrong-code', '/code');
    is_problem(confirm($chidi, $code), 409, 'wrong-state');
    is known($chidi), undef, 'after five the right one comes too late';

    phone($chidi, $to);
    my $second = code($to, 2);
    is_problem(confirm($chidi, $code), 422, 'wrong-code', '/code')
        if $code ne $second;
    $azora->sql("UPDATE identity.phone_code
        SET created_at = created_at - interval '10 minutes'
        WHERE account = ?", $chidi->{id});
    is_problem(confirm($chidi, $second), 409, 'wrong-state');

    # the hour's third
    is phone($chidi, $to)->{status}, 200, 'a third message';
    is_problem(phone($chidi, $to), 429, 'too-many-attempts');
    is confirm($chidi, code($to, 3))->{status}, 200, 'still counts';
};


subtest 'a number that many want' => sub {
    my $to = '+27821234567';
    for my $n (1 .. 5) {
        is phone($azora->user("many$n"), $to)->{status}, 200, "person $n";
    }
    my $last = $azora->user('many6');
    is_problem(phone($last, $to), 429, 'too-many-attempts');
    is $azora->value('SELECT count(*) FROM identity.phone_code
        WHERE phone = ?', $to), 5, 'five messages a day';
};


subtest 'an account for each message' => sub {
    my $to = '+254733000000';
    for my $n (1 .. 5) {
        my $who = $azora->user("brief$n");
        is phone($who, $to)->{status}, 200, "person $n";
        is $azora->delete('/v1/me', token => $who->{token})->{status}, 204,
            'who goes at once';
    }
    is_problem(phone($azora->user('brief6'), $to), 429, 'too-many-attempts');
    is $azora->value('SELECT count(*) FROM identity.phone_code
        WHERE phone = ? AND (account IS NOT NULL OR hash IS NOT NULL)', $to),
        0, 'and the messages are nobody\'s';
};


subtest 'what happens is told' => sub {
    my $who = $azora->user('dayo');
    my $to = '+2348012345678';
    phone($who, $to);
    confirm($who, code($to, 1));
    is message($to, 2), 'Azora: your phone number was set. If it was not you, '
        . "change your password: https://azora.test\r\n",
        'to a phone, when the address is not proved';

    $azora->sql('UPDATE identity.account SET email_verified_at = now()
        WHERE id = ?', $who->{id});
    is $azora->post('/v1/auth/password', token => $who->{token}, json => {
        current_password => 'a long pass phrase',
        new_password => 'another good phrase' })->{status}, 204, 'otherwise';
    ok poll_until(20 * $azora->patience, sub {
        grep { /password was changed/ } messages('dayo@example.org') }),
        'by mail';
    is scalar(my @all = messages("$to\@sms.localhost")), 2, 'and not twice';
};


subtest 'another number in the place of the first' => sub {
    my $who = $azora->user('ebele');
    my ($first, $second) = ('+2348010000001', '+2348010000002');
    phone($who, $first);
    confirm($who, code($first, 1));
    like message($first, 2), qr/phone number was set/, 'a first number';

    phone($who, $second);
    confirm($who, code($second, 1));
    is known($who), $second, 'another one';
    ok poll_until(20 * $azora->patience, sub {
        grep { /another phone number/ } messages('ebele@example.org') }),
        'is told by mail';
    is scalar(my @all = messages("$second\@sms.localhost")), 1,
        'and not to whoever set it alone';
};


subtest 'a session that somebody left open' => sub {
    $azora->sql("UPDATE identity.session
        SET authenticated_at = now() - interval '16 minutes'
        WHERE account = ?", $amina->{id});
    is_problem(phone($amina, '+254700000000'), 401,
               'reauthentication-required');
    is_problem($azora->delete('/v1/me/phone', token => $amina->{token}), 401,
               'reauthentication-required');
    is $azora->patch('/v1/me', token => $amina->{token},
        json => { name => 'Amina D.' })->{status}, 200,
        'the name may be changed';
    $amina->{token} = $azora->login('amina');
};


subtest 'exported, removed, erased' => sub {
    my @her = (token => $amina->{token});
    is $azora->get('/v1/me/export', @her)->{json}{account}{phone}, $number,
        'it is in the export';
    is $azora->delete('/v1/me/phone', @her)->{status}, 204, 'it goes';
    is known($amina), undef, 'from the account';
    is journaled($azora, 'user.phone_removed'), 1, 'which is journaled';
    is_problem($azora->delete('/v1/me/phone', @her), 404, 'not-found');

    phone($amina, $number);
    confirm($amina, code($number, 3));
    is known($amina), $number, 'once more';
    is $azora->delete('/v1/me', @her)->{status}, 204, 'the person goes';
    is $azora->value("SELECT (SELECT count(*) FROM identity.account
            WHERE phone = ?)
        + (SELECT count(*) FROM identity.phone_code WHERE account = ?)",
        $number, $amina->{id}), 0, 'and the number with them';
};


subtest 'an address that begins like a number' => sub {
    $azora->register('+123');
    ok poll_until(20 * $azora->patience, sub { messages('+123@example.org') }),
        'is one';
};


subtest 'a gateway' => sub {
    my $other = Azora::Test->start(workers => 1,
        http => "azora_sms '{digits}.azora\@sms.example';");
    my $who = $other->user('efua');
    is $other->patch('/v1/me', token => $who->{token},
        json => { phone => $number })->{status}, 200, 'another address';
    ok poll_until(20 * $azora->patience, sub {
        messages('254712345678.azora@sms.example', $other) }),
        'as the gateway wants it';
};

done_testing;

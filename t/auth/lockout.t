#!/usr/bin/perl

# Guessing: after five failures each further attempt waits, longer each time,
# and an account that does not exist behaves as one that does.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 1,
    http => 'set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For;');
my $right = 'a long pass phrase';
my @people = map { "amina$_" } 1 .. 4;
$azora->register($_) for @people;


sub attempt {
    my ($name, $password, $from) = @_;
    return $azora->post('/v1/auth/login',
        headers => [$from ? ['X-Forwarded-For' => $from] : ()], json => {
        email => "$name\@example.org", password => $password });
}


# Makes the waits that there are last, however long this machine takes.
sub wait_long {
    my ($name) = @_;
    $azora->sql("UPDATE identity.login_failure
        SET blocked_until = clock_timestamp() + interval '1 hour'
        WHERE principal = sha256(?::bytea) AND blocked_until IS NOT NULL",
        "$name\@example.org");
}


for my $name ('amina1', 'nobody') {
    subtest $name => sub {
        is attempt($name, "wrong pass $_")->{status}, 401, "failure $_"
            for 1 .. 5;
        wait_long($name);

        my $r = attempt($name, 'wrong pass 6');
        is $r->{status}, 429, 'the sixth has to wait';
        is $r->{json}{type}, '/problems/too-many-attempts', 'and is told so';

        is $azora->value("SELECT max(failures) FROM identity.login_failure
            WHERE principal = sha256(?::bytea)", "$name\@example.org"), 5,
            'waiting is not counted';
    };
}


subtest 'waiting helps, the right password alone does not' => sub {
    wait_long('amina1');
    is attempt('amina1', $right)->{status}, 429, 'not yet';

    $azora->sql("UPDATE identity.login_failure
        SET blocked_until = clock_timestamp() + interval '300 milliseconds'
        WHERE principal = sha256('amina1\@example.org')");
    ok poll_until(10, sub { attempt('amina1', $right)->{status} == 200 }),
        'later it is taken';
    is $azora->value("SELECT count(*) FROM identity.login_failure
        WHERE principal = sha256('amina1\@example.org')"), 0,
        'and the failures are forgotten';
    is attempt('amina1', 'wrong pass 7')->{status}, 401, 'counting anew';
};


subtest 'others' => sub {
    is attempt('amina2', $right)->{status}, 200, 'are not affected';
};


subtest 'attempts at once' => sub {
    my @open = map { $azora->connect } 1 .. 20;
    $_->write(Azora::HTTP::format_request('POST', '/v1/auth/login', json => {
        email => 'amina3@example.org', password => 'wrong at once' }))
        for @open;

    my %seen;
    $seen{$_->read_response->{status}}++ for @open;
    is_deeply [grep { $_ != 401 && $_ != 429 } keys %seen], [],
        'are refused, one way or the other' or diag explain \%seen;
    cmp_ok $azora->value("SELECT max(failures) FROM identity.login_failure
        WHERE principal = sha256('amina3\@example.org')"), '>=', 5,
        'and are counted, until the account is locked';
    cmp_ok $azora->value("SELECT max(failures) FROM identity.login_failure
        WHERE principal = sha256('amina3\@example.org')"), '==', $seen{401},
        'each that was let through';
};

subtest 'nobody is kept out by others' => sub {
    my $session = attempt('amina4', $right, '192.0.2.7')->{json};
    ok $session, 'she logs in at home';

    # more addresses than one, so that only the account's own wait is left
    my $seen = 0;
    for my $n (1 .. 12) {
        my $r = attempt('amina4', "wrong pass $n", "198.51.100.$n");
        $seen++ if $r->{status} == 429;
        wait_long('amina4') if $n == 5;
    }
    cmp_ok $seen, '>', 3, 'guesses from everywhere have to wait';
    is attempt('amina4', $right, '203.0.113.9')->{status}, 429,
        'with the right password, too';

    is attempt('amina4', $right, '192.0.2.200')->{status}, 200,
        'but not in the network that she logged in from';
    is $azora->get('/v1/me', token => $session->{access_token})->{status},
        200, 'and her session goes on';

    attempt('amina4', "wrong pass $_", '192.0.2.66') for 1 .. 5;
    wait_long('amina4');
    is attempt('amina4', $right, '192.0.2.66')->{status}, 429,
        'who guesses there waits alone';
    is attempt('amina4', $right, '192.0.2.7')->{status}, 200, 'she does not';
};

done_testing;

#!/usr/bin/perl

# Registering where addresses are proved first: nobody learns who has an
# account, not from the answer, not from its time and not by logging in.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until slurp);
use Azora::Story qw(at_once);
use Azora::Test;
use Test::More;
use Time::HiRes qw(time);

my $azora = Azora::Test->start(workers => 1,
                               http => 'azora_auth_verify_email on;');
my $password = 'a long pass phrase';


sub register {
    my ($name, %more) = @_;
    my $connection = delete $more{on};
    return $azora->post('/v1/auth/register', json => {
        email => "$name\@example.org", name => ucfirst $name,
        password => $password, %more }, connection => $connection);
}

sub login {
    my ($name, $with) = @_;
    return $azora->post('/v1/auth/login', json => {
        email => "$name\@example.org", password => $with // $password });
}

sub verify {
    return $azora->post('/v1/auth/email/verify', json => { token => $_[0] });
}

sub problem { return ($_[0]{json}{type} // '') =~ s{^/problems/}{}r }

# Bodies of the mails to somebody, oldest first
sub mails {
    my ($name) = @_;
    return grep { /^To: <\Q$name\E\@example\.org>\r$/m }
           map { slurp($_) } sort glob "$azora->{dir}/mail/*.eml";
}

# The last of n mails, and the token in it
sub mail {
    my ($name, $n) = @_;
    my @mails;
    poll_until(20 * $azora->patience, sub { @mails = mails($name);
                                            return @mails >= $n });
    my $last = $mails[$n - 1] // '';
    return wantarray ? ($last, $last =~ /#token=([\w-]{43})\r/) : $last;
}

sub quiet {
    return poll_until(20 * $azora->patience, sub {
        !$azora->value("SELECT count(*) FROM journal.job
                        WHERE kind = 'mail' AND state = 'waiting'") });
}

sub accounts {
    return $azora->value('SELECT count(*) FROM identity.account
                          WHERE email = ?', "$_[0]\@example.org");
}


my $first = register('amina');


subtest 'an account is made when its mail is answered' => sub {
    is $first->{status}, 202, 'accepted';
    is $first->{body}, '{}', 'and nothing told';
    ok !$first->{headers}{location}, 'nor pointed at';
    is accounts('amina'), 0, 'there is no account yet';
    is problem(login('amina')), 'invalid-credentials', 'to log in to';

    my ($mail, $token) = mail('amina', 1);
    like $mail, qr/^Subject: Azora: is this your address\?\r$/m, 'a mail';
    is $azora->value('SELECT count(*) FROM identity.registration r
        WHERE r::text LIKE ?', "%$token%"), 0,
        'whose token the database does not have';

    my $r = verify($token);
    is $r->{status}, 200, 'its link';
    is $r->{json}{email}, 'amina@example.org', 'proves the address';
    is accounts('amina'), 1, 'and makes the account';
    is login('amina')->{status}, 200, 'that one logs in to';
    is problem(verify($token)), 'link-over', 'the link works once';
    is $azora->value("SELECT string_agg(type, ' ' ORDER BY type)
        FROM journal.entry
        WHERE type IN ('user.registered', 'user.email_verified')"),
        'user.email_verified user.registered', 'both is journaled';
};


subtest 'an address that has an account' => sub {
    my $r = register('amina', password => 'of somebody else, long');
    is $r->{status}, $first->{status}, 'the same status';
    is $r->{body}, $first->{body}, 'the same body';
    is_deeply [sort keys %{ $r->{headers} }],
        [sort keys %{ $first->{headers} }], 'the same header fields';

    my ($mail, $token) = mail('amina', 2);
    like $mail, qr/^Subject: Azora: you have an account already\r$/m,
        'its owner is told';
    ok !$token, 'and gets no link';
    is login('amina')->{status}, 200, 'the password is as it was';
    is login('amina', 'of somebody else, long')->{status}, 401,
        'and that of the other is none';
    is $azora->value("SELECT count(*) FROM identity.registration
        WHERE email = 'amina\@example.org'
          AND (password IS NOT NULL OR hash IS NOT NULL)"), 0,
        'nor is it kept';
};


subtest 'two who want one address' => sub {
    register('bola', password => 'the first of them');
    my (undef, $one) = mail('bola', 1);
    register('bola', password => 'the second of them');
    my (undef, $two) = mail('bola', 2);

    is verify($two)->{status}, 200, 'one link is followed';
    is problem(verify($one)), 'link-over', 'the other is over';
    is login('bola', 'the second of them')->{status}, 200,
        'the password is of who asked for that mail';
    is login('bola', 'the first of them')->{status}, 401, 'and no other';
};


subtest 'a link is good for an hour' => sub {
    register('chidi');
    my (undef, $token) = mail('chidi', 1);
    $azora->sql("UPDATE identity.registration
        SET created_at = created_at - interval '1 hour'
        WHERE email = 'chidi\@example.org'");
    is problem(verify($token)), 'link-over', 'and no longer';
    is accounts('chidi'), 0, 'no account comes of it';
    $azora->sql('SELECT azora.purge(100)');
    is $azora->value("SELECT count(*) FROM identity.registration
        WHERE email = 'chidi\@example.org'"), 0, 'nothing is kept';
};


subtest 'nobody is buried in mails' => sub {
    register('dayo') for 1 .. 8;
    ok quiet(), 'all is sent';
    poll_until(20 * $azora->patience, sub { mails('dayo') >= 5 });
    is scalar(mails('dayo')), 5, 'five in an hour';

    $azora->sql("SELECT identity.begin_registration('eze\@example.org', 'x',
        'Eze') FROM generate_series(1, 24)");
    ok quiet(), 'many at once';
    poll_until(20 * $azora->patience, sub { mails('eze') >= 5 });
    is scalar(mails('eze')), 5, 'are five in an hour, too';
};


subtest 'links that are followed at once' => sub {
    for my $name (map { "femi$_" } 1 .. 5) {
        my @tokens = map { register($name); (mail($name, $_))[1] } 1 .. 4;
        my %seen;
        $seen{ $_->{status} }++ for at_once($azora,
            map { ['POST', '/v1/auth/email/verify', json => { token => $_ }]
                } @tokens);
        is_deeply \%seen, { 200 => 1, 404 => 3 }, "one makes $name";
        is accounts($name), 1, 'an account';
    }
    is $azora->value('SELECT deadlocks FROM pg_stat_database
        WHERE datname = current_database()'), 0,
        'and none waits for another';
};


subtest 'the time of the answer' => sub {
    my $rounds = 100;
    my $connection = $azora->connect;
    my (%times, $faster);

    $azora->sql("INSERT INTO identity.account (id, email, name)
        SELECT azora.uuid7(), 'known' || n || '\@example.org', 'Known'
        FROM generate_series(0, ?) AS n", $rounds);

    for my $n (0 .. $rounds) {
        my %took;

        for my $kind ($n % 2 ? qw(known fresh) : qw(fresh known)) {
            my $from = time;
            my $r = register("$kind$n", on => $connection);
            $took{$kind} = time - $from;
            is $r->{status}, 202, "$kind$n" if $n == 0;
        }

        # the first pair warms up
        next if $n == 0;
        push @{ $times{$_} }, $took{$_} for keys %took;
        $faster++ if $took{fresh} < $took{known};
    }

    my %median = map { $_ => (sort { $a <=> $b } @{ $times{$_} })[$rounds / 2]
                     } keys %times;
    my $ratio = $median{fresh} / $median{known};

    note sprintf 'known %.2f ms, fresh %.2f ms, fresh faster in %d of %d',
        $median{known} * 1e3, $median{fresh} * 1e3, $faster, $rounds;
    cmp_ok $ratio, '>', 0.8, 'an address without an account is not faster';
    cmp_ok $ratio, '<', 1.25, 'nor slower';
    cmp_ok abs($faster - $rounds / 2), '<=', 20, 'not even by pairs';
};


done_testing;

#!/usr/bin/perl

# Sessions and their end: a token that was good is refused by every worker and
# every node with the next request after a logout, and nobody else's is.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(children poll_until);
use Azora::Story qw(documented is_problem journaled);
use Azora::Test;
use Azora::Token;
use Test::More;
use Time::HiRes qw(time);

my $azora = Azora::Test->start(workers => 2, server => <<'END');
location = /guarded/ { azora_auth required; azora_status livez; }
END
my $amina = $azora->user('amina');
my $bola = $azora->user('bola');


# What the token gets at each of several connections: both workers are asked.
sub statuses {
    my ($token, $path) = @_;
    my %seen;

    for (1 .. 12) {
        $seen{ $azora->get($path || '/guarded/', token => $token)->{status} }++;
    }

    return join ' ', sort keys %seen;
}

# When the worker that hears PostgreSQL was last answered what it asks.  One
# node has to be alone for that: each has such a worker.
sub hearing {
    return $azora->value("SELECT max(query_start) FROM pg_stat_activity
        WHERE application_name = 'azora/listen'
          AND datname = current_database() AND state = 'idle'");
}

sub hears_again {
    my $before = hearing();
    return poll_until(3 * $azora->patience, sub { hearing() ne $before });
}

# Stops the worker that does not hear PostgreSQL itself.
sub stopped_worker {
    for my $pid (reverse children($azora->master_pid)) {
        kill STOP => $pid;
        return $pid if hears_again();
        kill CONT => $pid;
    }
}

sub sid { return (Azora::Token::parts($_[0]))[1]{sid} }


subtest 'POST /v1/auth/logout' => sub {
    my $first = $azora->login('amina');
    my $second = $azora->login('amina');
    is statuses($_), '200', 'a session' for $first, $second;

    my $r = $azora->post('/v1/auth/logout', token => $first);
    is "$r->{status} $r->{body}", '204 ', 'ends';
    ok !exists $r->{headers}{etag}, 'and tells nothing of our numbers';
    is statuses($first), '401', 'at once for every worker';
    is statuses($first, '/v1/me'), '401', 'for rows, too';
    is statuses($second), '200', 'another session of the account goes on';
    is statuses($bola->{token}), '200', "and somebody else's";

    is_problem($azora->get('/v1/me', token => $first), 401, 'invalid-token');
    my ($session) = $azora->sql('SELECT revoked_at IS NOT NULL AS ended,
        end_reason FROM identity.session WHERE id = ?', sid($first));
    is_deeply $session, { ended => 1, end_reason => 'logout' },
        'PostgreSQL knows';
    is journaled($azora, 'session.ended'), 1, 'it is in the journal';

    is $azora->post('/v1/auth/logout', token => $first)->{status}, 401,
        'it ends once';
    is $azora->post('/v1/auth/logout?all=true', token => $second)->{status},
        204, 'all of them';
    is statuses($second), '401', 'end at once';
    is statuses($amina->{token}), '401', 'the very first one too';
    is statuses($bola->{token}), '200', "nobody else's";
    is $azora->value('SELECT count(*) FROM identity.session
        WHERE account = ? AND revoked_at IS NULL', $amina->{id}), 0,
        'none is left';
};


subtest 'a token that nobody has seen' => sub {
    my $token = $azora->login('amina');

    # the session ends before any worker has verified its token
    $azora->sql("SELECT identity.end_sessions(NULL, ?, ARRAY[?::uuid],
        'test')", $amina->{id}, sid($token));
    ok poll_until(5, sub { statuses($token) eq '401' }),
        'is refused, although its signature is good';

    my ($pem) = glob "$azora->{dir}/keys/*.pem";
    my $copy = Azora::Token::make($pem, claims => {
        sub => $amina->{id}, sid => sid($token) });
    is statuses($copy), '401', 'another token of that session as well';
};


subtest 'sessions' => sub {
    my @tokens = map { $azora->login('amina') } 1 .. 3;
    my @mine = (token => $tokens[0]);
    my $r = $azora->get('/v1/auth/sessions', @mine);
    documented($azora, $r, 'GET /v1/auth/sessions');
    is_deeply [map { $_->{id} } @{ $r->{json}{items} }],
        [map { sid($_) } reverse @tokens], 'GET lists them, newest first';
    is_deeply [map { $_->{current} ? 1 : 0 } @{ $r->{json}{items} }],
        [0, 0, 1], 'and says which one this is';
    is $r->{json}{items}[0]{network}, '127.0.0.0/24', 'and from where';

    my $theirs = $azora->get('/v1/auth/sessions', token => $bola->{token});
    is_deeply [map { $_->{id} } @{ $theirs->{json}{items} }],
        [sid($bola->{token})], 'everybody sees their own';

    my $id = sid($tokens[2]);
    is_problem($azora->delete("/v1/auth/sessions/$id",
               token => $bola->{token}), 404, 'not-found');
    is statuses($tokens[2]), '200', "somebody else's cannot be ended";

    is $azora->delete("/v1/auth/sessions/$id", @mine)->{status}, 204,
        "one's own can";
    is statuses($tokens[2]), '401', 'at once';
    is_problem($azora->delete("/v1/auth/sessions/$id", @mine), 404,
               'not-found');

    is $azora->delete('/v1/auth/sessions', @mine)->{status}, 204,
        'and all others';
    is statuses($tokens[1]), '401', 'at once';
    is statuses($tokens[0]), '200', 'but for this one';
    is $azora->delete('/v1/auth/sessions', @mine)->{status}, 204,
        'none left is fine';
};


subtest 'an account has a hundred at most' => sub {
    my $cleo = $azora->user('cleo');
    $azora->sql("INSERT INTO identity.session (id, account, expires_at,
            last_seen_at)
        SELECT azora.uuid7(), ?, now() + interval '1 day',
               now() - interval '1 hour' * n
        FROM generate_series(1, 99) AS n", $cleo->{id});
    my $oldest = $azora->value('SELECT id FROM identity.session
        WHERE account = ? ORDER BY last_seen_at LIMIT 1', $cleo->{id});

    ok $azora->login('cleo'), 'one more logs in';
    is $azora->value('SELECT count(*) FROM identity.session
        WHERE account = ? AND revoked_at IS NULL', $cleo->{id}), 100,
        'there are a hundred';
    is $azora->value('SELECT end_reason FROM identity.session WHERE id = ?',
        $oldest), 'too-many', 'the one quiet for longest gave way';
};


my $other = Azora::Test->start(workers => 2, postgres => 'shared',
    server => <<'END');
location = /guarded/ { azora_auth required; azora_status livez; }
END
# it verifies with the same keys, over the same database
system("cp -a $azora->{dir}/keys/. $other->{dir}/keys/"
       . " && cp $azora->{dir}/secrets/postgres.conf"
       . " $other->{dir}/secrets/postgres.conf");
$other->reload;


subtest 'another node' => sub {
    my $token = $azora->login('bola');
    my $there = sub { $other->get('/guarded/', token => $token)->{status} };
    is $there->(), 200, 'a token is good at both';
    is $azora->post('/v1/auth/logout', token => $token)->{status}, 204,
        'it ends at one';
    ok poll_until(5, sub { $there->() == 401 }), 'and so at the other';
    is $other->get('/guarded/', token => $azora->login('bola'))->{status},
        200, 'where new ones are good';
};


# From the answer that ends a token until the last of some connections to the
# workers of the other node refuses it.
subtest 'how soon' => sub {
    my $admin = $azora->user('root', roles => ['admin']);
    my $cleo = $azora->register('cleo.there');
    my $user = "/v1/admin/users/$cleo->{id}";
    my @connections = map { $other->connect } 1 .. 6;
    my @roles = (['learner'], ['teacher']);
    my $rounds = 10;

    my %ends = (
        logout => sub { $azora->post('/v1/auth/logout', token => $_[0]) },
        lock => sub { $azora->post("$user/lock", token => $admin->{token},
                                   json => { reason => 'test' }) },
        'role change' => sub {
            push @roles, shift @roles;
            $azora->patch($user, token => $admin->{token},
                          json => { roles => $roles[0] });
        },
    );

    for my $kind (sort keys %ends) {
        my @took;

        for (1 .. $rounds) {
            my $token = $azora->login('cleo.there');
            my $there = sub { $other->get('/guarded/', token => $token,
                connection => $_[0])->{status} };
            my @left = grep { $there->($_) == 200 } @connections;
            is @left, @connections, "$kind: the token is good" if $_ == 1;

            my $r = $ends{$kind}->($token);
            my $from = time;
            cmp_ok $r->{status}, '<', 300, "$kind: done" if $_ == 1;
            @left = grep { $there->($_) != 401 } @left
                while @left && time < $from + 5 * $azora->patience;
            push @took, time - $from;
            $azora->post("$user/unlock", token => $admin->{token})
                if $kind eq 'lock';
        }

        @took = sort { $a <=> $b } @took;
        note sprintf '%s: median %.1f ms, at most %.1f ms', $kind,
            map { 1e3 * $_ } @took[@took / 2, -1];
        cmp_ok $took[@took / 2], '<', 1 * $azora->patience,
            "$kind: at the other node within a second";
        cmp_ok $took[-1], '<', 5 * $azora->patience, "$kind: always soon";
    }
};

$other->stop;


subtest 'over a reload' => sub {
    my $gone = $azora->login('bola');
    my $kept = $azora->login('bola');
    $azora->post('/v1/auth/logout', token => $gone);

    $azora->reload;
    is statuses($gone), '401', 'new workers know what ended before them';
    is statuses($kept), '200', 'and what did not';
};


subtest 'a restored backup' => sub {
    my $token = $azora->login('bola');
    my $other = $azora->login('bola');
    is statuses($_), '200', 'a session' for $token, $other;
    my $was = $azora->value("UPDATE azora.generation SET value = value + 3600000
        WHERE name = 'sessions' RETURNING value");
    ok hears_again(), 'a clock goes wrong by an hour';

    # the numbers begin again, and before one of the workers looks the one that
    # was used comes to mean this end
    my $worker = stopped_worker();
    $azora->sql("UPDATE azora.generation SET value = value - 1
        WHERE name = 'sessions'");
    $azora->sql('DELETE FROM identity.revocation WHERE seq >= ?', $was);
    ok hears_again(), 'the node hears of it';
    $azora->sql("SELECT identity.end_sessions(NULL, ?, ARRAY[?::uuid],
        'test')", $bola->{id}, sid($token));
    kill CONT => $worker;
    is $azora->value("SELECT value FROM azora.generation
        WHERE name = 'sessions'"), $was, 'there is the same number once more';
    ok poll_until(5 * $azora->patience, sub { statuses($token) eq '401' }),
        'which means what it means now';
    is statuses($other), '200', 'and nothing else';
};


subtest 'more ended than a worker keeps' => sub {
    my ($pem) = glob "$azora->{dir}/keys/*.pem";
    my $token = $azora->login('bola');
    my $old = Azora::Token::make($pem, claims => {
        sub => $bola->{id}, iat => int(time) - 2 * 3600 });
    is statuses($_), '200', 'a token' for $token, $old;

    for (1, 2) {
        $azora->sql("WITH next AS (SELECT azora.bump('sessions') AS seq)
            INSERT INTO identity.revocation (seq, target, at)
            SELECT n.seq, gen_random_uuid(), now() - interval '1 hour'
            FROM next AS n, generate_series(1, 40000)");
        ok poll_until(5 * $azora->patience, sub {
            statuses($token) eq '200' }), "$_ times 40,000: it is good";
    }

    is statuses($old), '401', 'what is older than all that is known is not';
    my $gone = $azora->login('bola');
    $azora->post('/v1/auth/logout', token => $gone);
    is statuses($gone), '401', 'and what ends is refused';
    is statuses($token), '200', 'and nothing else';
};


subtest 'what is over is forgotten' => sub {
    $azora->sql("UPDATE identity.revocation
        SET at = now() - interval '2 days'");
    $azora->sql("UPDATE identity.session SET
        created_at = now() - interval '40 days',
        expires_at = now() - interval '2 days' WHERE account = ?",
        $amina->{id});
    $azora->sql('SELECT azora.purge(100000)');

    is $azora->value('SELECT count(*) FROM identity.revocation'), 0,
        'revocations';
    is $azora->value('SELECT count(*) FROM identity.session
        WHERE account = ?', $amina->{id}), 0, 'and sessions';
};

done_testing;

#!/usr/bin/perl

# Refresh tokens: used once, the same successor for two tabs, and the end of
# the session for whoever comes with an old one.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until);
use Azora::Story qw(at_once documented is_problem journaled);
use Azora::Test;
use Azora::Token;
use DBD::Pg qw(:async);
use Digest::SHA qw(sha256_hex);
use Test::More;

my $azora = Azora::Test->start(workers => 2,
    http => 'azora_auth_origin https://app.example.org;');
my $origin = "http://localhost";
$azora->register($_) for qw(amina bola);


sub login {
    my ($name, @more) = @_;
    return $azora->post('/v1/auth/login', json => {
        email => "$name\@example.org", password => 'a long pass phrase',
        @more });
}

sub refresh { return $azora->post('/v1/auth/refresh',
                                  json => { refresh_token => $_[0] }) }

sub cookie {
    my ($r) = @_;
    my ($value) = ($r->{headers}{'set-cookie'} || '')
        =~ /\A__Secure-azora_refresh=([\w-]*);/;
    return $value;
}

# The session of an access token
sub sid { return (Azora::Token::parts($_[0]{json}{access_token}))[1]{sid} }

sub ended {
    return $azora->value('SELECT end_reason FROM identity.session
        WHERE id = ?', $_[0]);
}

# As if the seconds had passed
sub later {
    my ($interval) = @_;
    $azora->sql("UPDATE identity.refresh_token
        SET used_at = used_at - ?::interval,
            created_at = created_at - ?::interval,
            expires_at = expires_at - ?::interval", ($interval) x 3);
}


subtest 'in the body' => sub {
    my $r = login('amina', refresh => 'body');
    my $first = $r->{json}{refresh_token};
    like $first, qr/\A[\w-]{43}\z/, '256 bits';
    ok !exists $r->{headers}{'set-cookie'}, 'and no cookie';
    documented($azora, $r, 'POST /v1/auth/login');

    my ($row) = $azora->sql("SELECT encode(hash, 'hex') AS hash, session,
        extract(day FROM expires_at - created_at) AS days, t::text AS all
        FROM identity.refresh_token AS t");
    is $row->{hash}, sha256_hex($first), 'PostgreSQL has its hash';
    is $row->{days}, 7, 'for seven days';
    unlike $row->{all}, qr/\Q$first/, 'and not itself';

    my $again = refresh($first);
    is $again->{status}, 200, 'it is exchanged';
    documented($azora, $again, 'POST /v1/auth/refresh');
    is $again->{headers}{'cache-control'}, 'no-store', 'never stored';
    isnt $again->{json}{refresh_token}, $first, 'for another';
    is sid($again), sid($r), 'of the same session';
    is $azora->get('/v1/me', token => $again->{json}{access_token})->{status},
        200, 'with a good access token';
    unlike $azora->value("SELECT string_agg(t::text, '')
        FROM identity.refresh_token AS t"),
        qr/\Q$again->{json}{refresh_token}/, 'the successor is not stored';
};


subtest 'in the cookie' => sub {
    my $r = login('amina');
    my $token = cookie($r);
    like $token, qr/\A[\w-]{43}\z/, 'it is there unless asked otherwise';
    ok !exists $r->{json}{refresh_token}, 'and not in the body';
    like $r->{headers}{'set-cookie'}, qr/; \Q$_\E(?:;|\z)/, $_
        for qw(HttpOnly Secure SameSite=Strict Path=/v1/auth Max-Age=604800);

    my $ask = sub {
        my (@headers) = @_;
        return $azora->post('/v1/auth/refresh', headers => [
            [Cookie => "a=b; __Secure-azora_refresh=$token"], @headers ]);
    };

    is_problem($ask->(), 403, 'origin-not-allowed');
    is_problem($ask->([Origin => $_]), 403, 'origin-not-allowed')
        for 'https://evil.example', 'null', 'http://localhost.evil.example',
            'http://localhost:1', 'file://localhost', '';
    is_problem($ask->([Origin => $origin], [Origin => $origin]), 403,
        'origin-not-allowed');
    is ended(sid($r)), undef, 'none of which ends the session';

    my $good = $ask->([Origin => $origin]);
    is $good->{status}, 200, 'our own page may';
    ok !exists $good->{json}{refresh_token}, 'scripts do not see it';
    isnt cookie($good), $token, 'another cookie';
    $token = cookie($good);
    is $ask->([Origin => 'https://app.example.org'])->{status}, 200,
        'so may one that the operator listed';

    my $out = $azora->post('/v1/auth/logout',
        token => $good->{json}{access_token},
        headers => [[Cookie => "__Secure-azora_refresh=$token"]]);
    is cookie($out), '', 'logging out takes it away';
    like $out->{headers}{'set-cookie'}, qr/; Max-Age=0;/, 'at once';
    is_problem($ask->([Origin => $origin]), 401, 'invalid-refresh-token');
};


subtest 'fifty at once' => sub {
    my $r = login('amina', refresh => 'body');
    my $token = $r->{json}{refresh_token};
    my @answers = at_once($azora, map {
        ['POST', '/v1/auth/refresh', json => { refresh_token => $token }]
    } 1 .. 50);

    my %seen = map { ($_->{json}{refresh_token} || $_->{body}) => 1 } @answers;
    is_deeply [map { $_->{status} } @answers], [(200) x 50], 'all get one';
    is scalar keys %seen, 1, 'and it is the same' or diag explain \%seen;
    is $azora->value('SELECT count(*) FROM identity.refresh_token
        WHERE session = ?', sid($r)), 2, 'there are two in the family';
    is ended(sid($r)), undef, 'which lives';
    my ($next) = keys %seen;
    is refresh($next)->{status}, 200, 'the successor is good';
};


# One tab refreshes while another logs out: the refresh is held in its middle,
# by somebody else's insert of its successor, until the logout waits, too.
subtest 'a logout meanwhile' => sub {
    my $r = login('bola', refresh => 'body');
    my $session = sid($r);
    my $hash = sha256_hex($r->{json}{refresh_token});
    my $next = sha256_hex('next');
    my ($held, $refresh) = map { $azora->dbh } 1, 2;
    my $waits = sub {
        my ($query) = @_;
        return poll_until(20 * $azora->patience, sub { $azora->value("SELECT
            count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
              AND query LIKE ? AND datname = current_database()", $query) });
    };

    $held->begin_work;
    $held->do("INSERT INTO identity.refresh_token (hash, session, expires_at)
        VALUES (decode(?, 'hex'), ?, now() + interval '1 day')", undef, $next,
        $session);
    $refresh->do("SELECT status FROM identity.refresh(NULL,
        '$hash $next sealed')", { pg_async => PG_ASYNC });
    ok $waits->('%identity.refresh(NULL%'), 'a refresh is under way';

    my $http = $azora->connect;
    $http->write(Azora::HTTP::format_request('POST', '/v1/auth/logout',
        token => $r->{json}{access_token}));
    ok $waits->('%identity.logout(%'), 'and a logout comes';
    $held->rollback;

    is eval { $refresh->pg_result }, 1, 'the one ends' or diag $@;
    is $http->read_response->{status}, 204, 'and then the other';
    is ended($session), 'logout', 'the session is over';
    is $azora->value('SELECT count(*) FROM identity.refresh_token
        WHERE session = ?', $session), 0, 'with what it was refreshed to';
};


subtest 'an old one' => sub {
    my $r = login('amina', refresh => 'body');
    my $stolen = $r->{json}{refresh_token};
    my $second = refresh($stolen)->{json};

    is refresh($stolen)->{json}{refresh_token}, $second->{refresh_token},
        'within ten seconds the same successor';
    later('11 seconds');
    my $before = journaled($azora, 'session.refresh_reused');
    is_problem(refresh($stolen), 401, 'invalid-refresh-token');
    is ended(sid($r)), 'reuse', 'later the session ends';
    is journaled($azora, 'session.refresh_reused'), $before + 1,
        'the journal says why';
    is_problem(refresh($second->{refresh_token}), 401,
               'invalid-refresh-token');
    is $azora->get('/v1/me', token => $second->{access_token})->{status}, 401,
        'the access tokens of either are refused';
};


subtest 'one whose successor was used' => sub {
    my $r = login('bola', refresh => 'body');
    my $first = $r->{json}{refresh_token};
    my $other = login('bola', refresh => 'body');

    my $second = refresh($first)->{json}{refresh_token};
    is refresh($second)->{status}, 200, 'the chain goes on';
    is_problem(refresh($first), 401, 'invalid-refresh-token');
    is ended(sid($r)), 'reuse', 'no ten seconds for it';
    is ended(sid($other)), undef, 'another login is another family';
    is refresh($other->{json}{refresh_token})->{status}, 200, 'that lives';
};


subtest 'how long' => sub {
    my $r = login('bola', refresh => 'body');
    later('7 days');
    is_problem(refresh($r->{json}{refresh_token}), 401,
               'invalid-refresh-token');
    is ended(sid($r)), undef, 'seven days idle is no theft';

    $r = login('bola', refresh => 'body');
    $azora->sql("UPDATE identity.session
        SET expires_at = now() + interval '1 hour' WHERE id = ?", sid($r));
    my $next = refresh($r->{json}{refresh_token});
    is $azora->value("SELECT expires_at <= now() + interval '1 hour'
        FROM identity.refresh_token WHERE hash = sha256(?::bytea)",
        $next->{json}{refresh_token}), 1, 'never past the thirty days';
    $azora->sql("UPDATE identity.session SET created_at = now() - interval
        '31 days', expires_at = now() - interval '1 second' WHERE id = ?",
        sid($r));
    is_problem(refresh($next->{json}{refresh_token}), 401,
               'invalid-refresh-token');
};


subtest 'of no use' => sub {
    is_problem(refresh($_), 401, 'invalid-refresh-token')
        for 'x' x 43, 'short', q{' OR 1=1 --} . 'x' x 31;
    is_problem($azora->post('/v1/auth/refresh', json => {}), 422,
               'validation-failed', '/refresh_token');
    is_problem(refresh('x' x 129), 422, 'validation-failed',
               '/refresh_token');
    is_problem(login('bola', refresh => 'header'), 422, 'validation-failed',
               '/refresh');

    my $r = login('bola', refresh => 'body');
    $azora->sql("UPDATE identity.account SET locked = true
        WHERE email = 'bola\@example.org'");
    is_problem(refresh($r->{json}{refresh_token}), 401,
               'invalid-refresh-token');
};

done_testing;

#!/usr/bin/perl

# Administration: the first admin, roles, locks, other people's sessions, and
# that there is always somebody left who can do it.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until);
use Azora::Story qw(at_once documented is_problem journaled);
use Azora::Test;
use Azora::Token;
use Test::More;

my $azora = Azora::Test->start(workers => 2);
my $amina = $azora->user('amina');
my ($root, @root);


# A link as scripts/azora admin prints it
sub link_for { return $azora->value('SELECT identity.make_setup_link(?)',
                                    $_[0]) }

sub set_up {
    my ($token, %more) = @_;
    return $azora->post('/v1/auth/setup', json => {
        token => $token, password => 'a long pass phrase', name => 'Root',
        %more });
}

sub status { return $azora->get('/v1/me', token => $_[0])->{status} }


subtest 'the first admin' => sub {
    my $token = link_for('root@example.org');
    like $token, qr/\A[\w-]{43}\z/, 'a token of 256 bits';
    unlike $azora->value("SELECT string_agg(l::text, '')
        FROM identity.setup_link AS l"), qr/\Q$token/, 'is not stored';

    is_problem(set_up($token, password => 'password123'), 422,
               'common-password', '/password');
    is_problem(set_up('x' x 43), 403, 'invalid-setup-token', '/token');

    my ($r, @others) = sort { $a->{status} <=> $b->{status} } at_once($azora,
        map { ['POST', '/v1/auth/setup', json => { token => $token,
               password => 'a long pass phrase', name => 'Root' }] } 1 .. 4);
    is $r->{status}, 201, 'is redeemed';
    documented($azora, $r, 'POST /v1/auth/setup');
    is_deeply $r->{json}{roles}, ['admin'], 'and makes an admin';
    is_problem($_, 403, 'invalid-setup-token', '/token') for @others;
    is journaled($azora, 'admin.set_up'), 1, 'once';

    my $late = link_for('late@example.org');
    $azora->sql("UPDATE identity.setup_link
        SET created_at = now() - interval '2 hours',
            expires_at = now() - interval '1 hour'
        WHERE email = 'late\@example.org'");
    is_problem(set_up($late), 403, 'invalid-setup-token', '/token');

    my $first = link_for('again@example.org');
    my $second = link_for('again@example.org');
    is_problem(set_up($first), 403, 'invalid-setup-token', '/token');
    ok $second, 'a newer one takes the place of the older';

    $root = $r->{json}{id};
    @root = (token => $azora->login('root'));
};


# Somebody opened the account before, with the address of who will be admin
subtest 'what was there before' => sub {
    my $squat = $azora->user('boss');
    $azora->sql("INSERT INTO identity.external_login (issuer, subject, account)
                 VALUES ('https://idp.example', 'squatter', ?)", $squat->{id});
    $azora->sql("UPDATE identity.account SET phone = '+254712345678',
        phone_verified_at = now() WHERE id = ?", $squat->{id});

    my $r = set_up(link_for('boss@example.org'));
    is $r->{json}{id}, $squat->{id}, 'the account becomes an admin';
    is status($squat->{token}), 401, 'its sessions are over';
    is $azora->value('SELECT count(*) FROM identity.external_login
        WHERE account = ?', $squat->{id}), 0,
        'no login at a provider opens it';
    is journaled($azora, 'user.login_unlinked'), 1, 'which is journaled';
    is $r->{json}{phone}, undef, 'nor is its news sent to a number of before';
    $azora->sql("UPDATE identity.account SET roles = '{learner}'
        WHERE id = ?", $squat->{id});
};


subtest 'accounts' => sub {
    my $r = $azora->get('/v1/admin/users', @root);
    documented($azora, $r, 'GET /v1/admin/users');
    is_deeply [map { $_->{email} } @{ $r->{json}{items} }],
        [map { "$_\@example.org" } qw(boss root amina)], 'listed, newest first';

    my $found = sub { return [map { $_->{name} } @{
        $azora->get("/v1/admin/users?$_[0]", @root)->{json}{items} }] };
    is_deeply $found->('query=AMI'), ['Amina'], 'found by its beginning';
    is_deeply $found->('query=%25'), [], 'in which no character is magic';
    is_deeply $found->('role=admin'), ['Root'], 'by role';
    is_deeply $found->('locked=true'), [], 'by lock';
    is_deeply $found->('limit=2'), ['Root', 'Root'], 'in pages';

    $r = $azora->get("/v1/admin/users/$amina->{id}", @root);
    documented($azora, $r, 'GET /v1/admin/users/{id}');
    is $r->{json}{sessions}, 1, 'with the number of its sessions';
    is_problem($azora->get('/v1/admin/users/019a9f00-0000-7000-8000-'
        . '00000000ffff', @root), 404, 'not-found');
    is_problem($azora->get('/v1/admin/users', token => $amina->{token}), 403,
        'insufficient-scope');
};


subtest 'a search among all accounts' => sub {
    my $dbh = $azora->dbh;
    $dbh->begin_work;
    $dbh->do('LOCK TABLE identity.account IN ACCESS EXCLUSIVE MODE');

    # more of them than workers, each on a connection of its own
    my @searches = map {
        my $http = $azora->connect;
        $http->write(Azora::HTTP::format_request('GET',
            "/v1/admin/users?query=nobody$_", @root));
        $http } 1 .. 8;
    ok poll_until(20 * $azora->patience, sub {
        ($dbh->selectrow_array(q{SELECT count(*) FROM pg_locks
            WHERE NOT granted AND relation = 'identity.account'::regclass}))[0]
        }), 'takes long';

    my @answers = map {
        eval { $azora->get('/v1/jobs', timeout => 3 * $azora->patience)
               ->{status} } // 0 } 1 .. 4;
    is "@answers", '200 200 200 200', 'and nobody waits for it';

    $dbh->rollback;
    is_deeply [map { $_->read_response->{status} } @searches], [(200) x 8],
        'until it is over';
};


subtest 'roles' => sub {
    my $patch = sub {
        my ($id, $roles) = @_;
        return $azora->patch("/v1/admin/users/$id", @root,
                             json => { roles => $roles });
    };
    my $login = $azora->post('/v1/auth/login', json => {
        email => 'amina@example.org', password => 'a long pass phrase',
        refresh => 'body' })->{json};
    is status($login->{access_token}), 200, 'a session';

    my $r = $patch->($amina->{id}, ['teacher', 'auditor', 'teacher']);
    documented($azora, $r, 'PATCH /v1/admin/users/{id}');
    is_deeply $r->{json}{roles}, [qw(auditor teacher)], 'are changed';
    is status($login->{access_token}), 401, 'its token said the old ones';

    $r = $azora->post('/v1/auth/refresh', json => {
        refresh_token => $login->{refresh_token} });
    is $r->{status}, 200, 'the session goes on';
    my (undef, $claims) = Azora::Token::parts($r->{json}{access_token});
    is_deeply $claims->{roles}, [qw(auditor teacher)], 'with the new ones';
    like $claims->{scope}, qr/audit:read/, 'and their scopes';
    is status($r->{json}{access_token}), 200, 'at once, in the same second';

    is journaled($azora, 'user.roles_changed'), 1, 'it is in the journal';
    $patch->($amina->{id}, [qw(teacher auditor)]);
    is journaled($azora, 'user.roles_changed'), 1, 'no change is none';
    is status($r->{json}{access_token}), 200, 'and ends nothing';

    is_problem($patch->($amina->{id}, ['emperor']), 422, 'validation-failed',
               '/roles');
    is_problem($patch->($amina->{id}, []), 422, 'validation-failed',
               '/roles');
    is_problem($patch->($root, ['learner']), 409, 'last-admin');
};


subtest 'tiers' => sub {
    my $login = $azora->post('/v1/auth/login', json => {
        email => 'amina@example.org', password => 'a long pass phrase',
        refresh => 'body' })->{json};
    my $tier = sub {
        my (undef, $claims) = Azora::Token::parts($_[0]);
        return $claims->{tier};
    };
    my $patch = sub { return $azora->patch("/v1/admin/users/$amina->{id}",
                                           @root, json => { @_ }) };
    is $tier->($login->{access_token}), 'free', 'the first one';

    my $r = $patch->(tier => 'student');
    documented($azora, $r, 'PATCH /v1/admin/users/{id}');
    is $r->{json}{tier}, 'student', 'is changed';
    is_deeply $r->{json}{roles}, [qw(auditor teacher)], 'and nothing else';
    is status($login->{access_token}), 401, 'its token said the old one';
    $login = $azora->post('/v1/auth/refresh', json => {
        refresh_token => $login->{refresh_token} })->{json};
    is $tier->($login->{access_token}), 'student', 'the next says the new one';
    is $azora->get('/v1/me', token => $login->{access_token})->{json}{tier},
        'student', 'and so does her account';
    is journaled($azora, 'user.tier_changed'), 1, 'it is in the journal';

    is $patch->(tier => 'student')->{status}, 200, 'the same again';
    is journaled($azora, 'user.tier_changed'), 1, 'is no change';
    is status($login->{access_token}), 200, 'and ends nothing';
    is_problem($patch->(tier => 'emperor'), 422, 'validation-failed',
               '/tier');

    my $moved = $azora->value("SELECT value FROM azora.generation
        WHERE name = 'sessions'");
    is $patch->(tier => 'professional', roles => ['teacher'])->{status}, 200,
        'both at once';
    is status($login->{access_token}), 401, 'end the token, too';
    is $azora->value('SELECT count(*) FROM identity.revocation
        WHERE seq > ?', $moved), 1, 'once';
};


subtest 'locks' => sub {
    my $token = $azora->login('amina');
    my $lock = sub { return $azora->post("/v1/admin/users/$_[0]/lock", @root,
                                         json => { reason => 'spam' }) };

    is_problem($azora->post("/v1/admin/users/$amina->{id}/lock", @root,
        json => {}), 422, 'validation-failed', '/reason');
    is $lock->($amina->{id})->{status}, 204, 'locked';
    is status($token), 401, 'her sessions are over';
    is_problem($azora->post('/v1/auth/login', json => {
        email => 'amina@example.org', password => 'a long pass phrase' }),
        401, 'invalid-credentials');
    is_problem($lock->($amina->{id}), 409, 'wrong-state');
    is $azora->get("/v1/admin/users/$amina->{id}", @root)->{json}{lock_reason},
        'spam', 'the reason is kept';

    is $azora->post("/v1/admin/users/$amina->{id}/unlock", @root)->{status},
        204, 'unlocked';
    is_problem($azora->post("/v1/admin/users/$amina->{id}/unlock", @root),
        409, 'wrong-state');
    is status($token), 401, 'what ended stays so';
    is status($azora->login('amina')), 200, 'she logs in again';
    is_problem($lock->($root), 409, 'own-account');
    is journaled($azora, $_), 1, $_ for qw(user.locked user.unlocked);
};


subtest "other people's sessions" => sub {
    my $token = $azora->login('amina');
    my $r = $azora->get("/v1/admin/users/$amina->{id}/sessions", @root);
    documented($azora, $r, 'GET /v1/admin/users/{id}/sessions');
    my $id = $r->{json}{items}[0]{id};

    my $path = "/v1/admin/users/$amina->{id}/sessions/$id";
    is_problem($azora->delete("/v1/admin/users/$root/sessions/$id", @root),
        404, 'not-found');
    is status($token), 200, 'only of the account that is named';
    is $azora->delete($path, @root)->{status}, 204, 'one ends';
    is status($token), 401, 'at once';
    is_problem($azora->delete($path, @root), 404, 'not-found');

    $token = $azora->login('amina');
    is $azora->delete("/v1/admin/users/$amina->{id}/sessions",
        @root)->{status}, 204, 'all end';
    is status($token), 401, 'at once';
};


subtest 'a session that an admin left open' => sub {
    my $admin = $azora->user('left', roles => ['admin']);
    my $user = "/v1/admin/users/$amina->{id}";
    my $service = $azora->post('/v1/admin/services', @root,
                               json => { name => 'Reports' })->{json}{id};
    my @acts = (
        [['PATCH', $user, json => { roles => ['admin'] }], 200],
        [['PATCH', $user, json => { tier => 'enterprise' }], 200],
        [['POST', "$user/lock", json => { reason => 'spam' }], 204],
        [['POST', "$user/unlock"], 204],
        [['POST', "/v1/admin/users/$service/keys", json => {
            name => 'x', scopes => ['profile:read'] }], 201],
    );
    my $is = sub { return $azora->value("SELECT concat(a, (SELECT count(*)
        FROM identity.api_key)) FROM identity.account AS a WHERE a.id = ?",
        $amina->{id}) };
    my $before = $is->();

    $azora->sql("UPDATE identity.session
        SET authenticated_at = now() - interval '16 minutes'
        WHERE account = ?", $admin->{id});
    is_problem($azora->request(@{ $_->[0] }, token => $admin->{token}), 401,
        'reauthentication-required') for @acts;
    is $is->(), $before, 'gives nobody anything, and locks nobody out';

    is $azora->delete("$user/sessions", token => $admin->{token})->{status},
        204, 'but ends sessions: that is not to wait';

    my $token = $azora->login('left');
    is $azora->request(@{ $_->[0] }, token => $token)->{status}, $_->[1],
        "@{ $_->[0] }[0, 1] after a login" for @acts;
    $azora->sql("UPDATE identity.account SET roles = '{learner}'
        WHERE id = ANY (?)", [$admin->{id}, $amina->{id}]);
};


subtest 'two admins at once' => sub {
    my $second = $azora->user('second', roles => ['admin']);
    my @answers = at_once($azora,
        ['PATCH', "/v1/admin/users/$root", token => $second->{token},
         json => { roles => ['learner'] }],
        ['PATCH', "/v1/admin/users/$second->{id}", @root,
         json => { roles => ['learner'] }]);
    my @status = sort map { $_->{status} } @answers;

    # the slower one is refused: as the last admin goes, or as no admin now
    ok $status[0] == 200 && $status[1] >= 401, 'cannot both demote the other'
        or diag explain [map { $_->{body} } @answers];
    is $azora->value("SELECT count(*) FROM identity.account
        WHERE 'admin' = ANY (roles)"), 1, 'one is left';
};

done_testing;

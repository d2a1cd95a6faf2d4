#!/usr/bin/perl

# One's own account: a new password, a new name, everything that is known, and
# being forgotten.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until);
use Azora::Story qw(balance documented finish_course fund is_problem is_sound
                    journaled);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 2);
my $old = 'a long pass phrase';
my $new = 'three green bicycles';


sub status { return $azora->get('/v1/me', token => $_[0])->{status} }

sub change {
    my ($token, %json) = @_;
    return $azora->post('/v1/auth/password', token => $token, json => {
        current_password => $old, new_password => $new, %json });
}

sub failures {
    return $azora->value("SELECT coalesce(max(failures), 0)
        FROM identity.login_failure WHERE principal = sha256(?::bytea)",
        "$_[0]\@example.org");
}


sub hashed {
    my ($n) = $azora->get('/metrics')->{body}
        =~ /^azora_auth_hashes_total\{result="done"\} (\d+)/m;
    return $n;
}


subtest 'POST /v1/auth/password' => sub {
    my $amina = $azora->user('amina');
    my @tokens = ($amina->{token}, $azora->login('amina'));

    is_problem(change($tokens[0], new_password => 'password123'), 422,
               'common-password', '/new_password');
    is_problem(change($tokens[0], new_password => 'Amina Amina'), 422,
               'common-password', '/new_password');
    is_problem(change($tokens[0], new_password => 'short'), 422,
               'validation-failed', '/new_password');
    is_problem(change($tokens[0], current_password => 'wrong one',
                      new_password => 'password123'), 422,
               'common-password', '/new_password');
    is failures('amina'), 0, 'the new one is looked at first';
    my $before = hashed();
    is_problem(change($tokens[0], current_password => 'wrong one'), 403,
               'wrong-password');
    is failures('amina'), 1, 'a wrong one counts as a failed login';
    is hashed() - $before, 2, 'and takes the work of a right one';
    is status($_), 200, 'nothing ended' for @tokens;

    is change($tokens[0])->{status}, 204, 'changed';
    is failures('amina'), 0, 'failures are forgotten';
    is status($tokens[0]), 200, 'this session goes on';
    is status($tokens[1]), 401, 'the other one is over';
    is journaled($azora, 'user.password_changed'), 1, 'it is in the journal';
    is $azora->post('/v1/auth/login', json => { email => 'amina@example.org',
        password => $_->[0] })->{status}, $_->[1], "login $_->[1]"
        for [$old, 401], [$new, 200];

    is_problem(change($tokens[0]), 403, 'wrong-password') for 1 .. 5;
    is_problem(change($tokens[0]), 429, 'too-many-attempts');
    unlike $azora->error_log, qr/bicycles|long pass/, 'no log has it';
};


subtest 'PATCH /v1/me' => sub {
    my $bola = $azora->user('bola');
    my @bola = (token => $bola->{token});
    my $patch = sub { return $azora->patch('/v1/me', @bola, json => $_[0]) };

    my $r = $patch->({ name => 'Bola A.' });
    documented($azora, $r, 'PATCH /v1/me');
    is $r->{json}{name}, 'Bola A.', 'a name';
    is $patch->({ handle => 'Bola_7' })->{json}{handle}, 'bola_7', 'a handle';
    $r = $patch->({});
    is_deeply [@{ $r->{json} }{qw(name handle)}], ['Bola A.', 'bola_7'],
        'what is absent stays';
    is $azora->get('/v1/me', @bola)->{json}{handle}, 'bola_7', 'and is shown';

    is_problem($patch->({ handle => $_ }), 422, 'validation-failed',
        '/handle') for 'x', '7up', 'a b c', 'a' x 31;
    is_problem($patch->({ roles => ['admin'] }), 422, 'validation-failed',
        '/roles');
    is_problem($patch->({ email => 'other@example.org' }), 422,
        'validation-failed', '/email');

    my $cleo = $azora->user('cleo');
    is_problem($azora->patch('/v1/me', token => $cleo->{token},
        json => { handle => 'BOLA_7' }), 409, 'handle-taken', '/handle');

    fund($azora, $cleo, 'AZR', 300_000_000);
    is $azora->post('/v1/wallets/AZR/transfers', token => $cleo->{token},
        key => "handle$_", json => { to => $_, amount => '1' })->{status},
        201, "money reaches $_" for 'bola_7', '@bola_7';
    is balance($azora, $bola, 'AZR'), 200_000_000, 'and nobody else';
};


# A person who did a little of everything
sub busy {
    my ($name) = @_;
    my $person = $azora->user($name);
    my @person = (token => $person->{token});
    my $friend = $azora->user("friend-of-$name");

    fund($azora, $person, 'AZR', 500_000_000);
    fund($azora, $friend, 'AZR', 500_000_000);
    $azora->post('/v1/wallets/AZR/transfers', @person, key => 'a', json => {
        to => "friend-of-$name\@example.org", amount => '1',
        memo => "$name wrote this", metadata => { for => "$name only" } });
    $azora->post('/v1/wallets/AZR/transfers', token => $friend->{token},
        key => 'b', json => { to => "$name\@example.org", amount => '0.5',
        memo => 'by ' . reverse $name });
    $azora->post('/v1/holds', @person, key => 'c', json => {
        currency => 'AZR', to => "friend-of-$name\@example.org",
        amount => '0.1', memo => "$name promises" });
    $azora->post('/v1/holds', token => $friend->{token}, key => 'd', json => {
        currency => 'AZR', to => "$name\@example.org", amount => '0.1' });
    finish_course($azora, $person, 'mobile-money-safety');
    $azora->post('/v1/jobs', @person, json => { title => "$name needs help",
        description => 'A wall', currency => 'AZR', budget => '2' });
    $azora->post('/v1/webhooks', @person, json => {
        url => "https://$name.test/hook", types => ['no.such'] });
    return ($person, $friend);
}


subtest 'GET /v1/me/export' => sub {
    my ($dede, $friend) = busy('dede');
    my $r = $azora->get('/v1/me/export', token => $dede->{token});
    is $r->{status}, 200, 'is there';
    documented($azora, $r, 'GET /v1/me/export');
    my $all = $r->{json};
    is $all->{webhooks}[0]{url}, 'https://dede.test/hook', 'the webhook';
    is $all->{account}{email}, 'dede@example.org', 'the account';
    is scalar @{ $all->{sessions} }, 1, 'the session';
    is $all->{learning}{enrolments}[0]{course}, 'mobile-money-safety',
        'the course';
    is $all->{market}{jobs}[0]{title}, 'dede needs help', 'the job';
    like $r->{body}, qr/dede wrote this/, 'the memo';
    my ($azr) = grep { $_->{currency} eq 'AZR' } @{ $all->{wallets} };
    is_deeply [map { "$_->{kind} $_->{amount}" } @{ $azr->{transfers} }],
              ['issue 5.00000000', 'transfer 1.00000000',
               'transfer 0.50000000'], 'what came and what went';
    my %types = map { $_->{type} => 1 } @{ $all->{activity} };
    ok $types{'user.registered'} && $types{'job.posted'}, 'the journal';
    unlike $r->{body}, qr/argon2id|friend-of-dede needs/, 'no secrets';

    my $theirs = $azora->get('/v1/me/export', token => $friend->{token});
    unlike $theirs->{body}, qr/dede needs help/, "not another's";
};


subtest 'DELETE /v1/me' => sub {
    my ($efua, $friend) = busy('efua');
    my @efua = (token => $efua->{token});
    my $second = $azora->login('efua');
    $azora->patch('/v1/me', @efua, json => { handle => 'efua' });

    $azora->sql("UPDATE identity.session
        SET authenticated_at = now() - interval '16 minutes'
        WHERE account = ?", $efua->{id});
    is_problem($azora->delete('/v1/me', token => $_), 401,
        'reauthentication-required') for $efua->{token}, $second;
    is status($efua->{token}), 200, 'the token is as good as before';

    my $fresh = $azora->login('efua');
    is $azora->delete('/v1/me', token => $fresh)->{status}, 204,
        'after a login she is forgotten';
    is status($_), 401, 'her sessions are over'
        for $efua->{token}, $second, $fresh;
    is_problem($azora->post('/v1/auth/login', json => {
        email => 'efua@example.org', password => $old }), 401,
        'invalid-credentials');

    # what others were answered, repeats of a request are answered for a day
    $azora->sql("UPDATE azora.idempotency
        SET created_at = now() - interval '25 hours'");
    $azora->sql('SELECT azora.purge(1000)');

    my $dump = join "\n", map {
        $azora->value("SELECT string_agg(t::text, E'\\n') FROM $_ AS t") // ''
    } map { $_->{name} } $azora->sql("
        SELECT c.oid::regclass::text AS name FROM pg_class AS c
        WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text IN
            ('azora', 'identity', 'journal', 'learning', 'ledger', 'market',
             'court')");
    my @left = grep { /efua(?!\@service)/i }
               split /\n/, $dump =~ s/friend-of-efua//gir;
    is_deeply \@left, [], 'no table knows her name';
    like $dump, qr/by aufe/, 'what others wrote is theirs';
    like $dump, qr/\Q$efua->{id}/, 'the books know an id';
    is balance($azora, $efua, 'AZR'), 450_000_000, 'and its money';
    is_sound($azora);

    my $r = $azora->get('/v1/wallets/AZR/statement',
                        token => $friend->{token});
    is scalar @{ $r->{json}{items} }, 3, "her friend's statement is whole";
    is $azora->value('SELECT count(*) FROM journal.entry AS e
        WHERE NOT EXISTS (SELECT 1 FROM journal.payload AS p
                          WHERE p.entry = e.id)') > 3, 1,
        'the log keeps entries whose payloads are gone';
    is journaled($azora, 'user.erased'), 1, 'it is in the journal';
    is $azora->register('efua')->{email}, 'efua@example.org',
        'the address is free again';
};


subtest 'who cannot be forgotten yet' => sub {
    my $admin = $azora->user('gifty', roles => ['admin']);
    is_problem($azora->delete('/v1/me', token => $admin->{token}), 409,
        'last-admin');
    is $azora->value("SELECT count(*) FROM identity.account
        WHERE email = 'gifty\@example.org'"), 1, 'nothing was done';

    my $employer = $azora->user('hawa');
    my $worker = $azora->user('imani');
    fund($azora, $employer, 'AZR', 500_000_000);
    my $contract = $azora->post('/v1/contracts', key => 'c',
        token => $employer->{token}, json => {
            freelancer => 'imani@example.org', title => 'Paint',
            currency => 'AZR',
            milestones => [{ title => 'Wall', amount => '1' }] })->{json};
    $azora->post("/v1/contracts/$contract->{id}/acceptance",
        token => $worker->{token}, key => 'a');
    $azora->post("/v1/milestones/$contract->{milestones}[0]{id}/funding",
        token => $employer->{token}, key => 'f');
    is_problem($azora->delete('/v1/me', token => $_->{token}), 409,
        'contract-open') for $employer, $worker;
};

done_testing;

# Accounts at their edges: two at once, what is left of somebody who is
# forgotten, and what one factor of two is worth.

use strict;
use warnings;

use Digest::SHA qw(sha256);
use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my $phc = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA';
my %erase = (route => 'DELETE /v1/me');


# A session that was opened now by one factor, or by two.
sub session {
    my ($account, $acr) = @_;
    return $sql->value(q{
        INSERT INTO identity.session (id, account, expires_at, acr)
        VALUES (azora.uuid7(), ?, now() + interval '1 day', ?)
        RETURNING id}, $account, $acr // '1');
}


sub erase {
    my ($account) = @_;
    return $sql->call('identity.erase_me', as => $account,
                      in => session($account), %erase);
}


# what others were to be told at an address goes with whose it is
my $ama = $sql->register('ama');
$sql->register('kofi');
for my $name (qw(ama kofi)) {
    $sql->call('identity.forgot_password', email => "$name\@example.org");
}
$sql->{dbh}->do(q{UPDATE journal.job SET state = 'dead'
                  WHERE payload ->> 'email' = 'ama@example.org'});
is(erase($ama)->{status}, 204, 'somebody is forgotten');
is_deeply($sql->rows(q{SELECT payload ->> 'email' FROM journal.job
                       WHERE payload ->> 'email' IS NOT NULL}),
          [['kofi@example.org']], 'no mail to the address is left');

# and what they were answered before they had an account
my %esi = (email => 'esi@example.org', password => $phc, name => 'Esi');
my @register = ('identity.register', %esi, keyed => 1, key => 'esi-1',
                route => 'POST /v1/auth/register');
my $esi = $sql->call(@register)->{body}{id};
is($sql->call(@register)->{repeat}, 1, 'a repeat is answered');
$sql->call(@register, email => 'yaa@example.org', key => 'yaa-1');
is(erase($esi)->{status}, 204, 'somebody is forgotten');
is_deeply($sql->rows(q{SELECT body ->> 'email' FROM azora.idempotency}),
          [['yaa@example.org']], 'nothing tells their name and address');

# whoever follows the link of a mail while they change their password
my $kofi = $sql->value(q{SELECT id FROM identity.account
                         WHERE email = 'kofi@example.org'});
my $first = $sql->connect;
$sql->value(q{SELECT identity.keep_token(?, 'email-verify',
                  'kofi@example.org', repeat('ab', 32))}, $kofi);
$first->begin_work;
$first->do('SELECT FROM identity.account WHERE id = ? FOR SHARE', undef,
           $kofi);
my $link = $sql->start($sql->statement('identity.verify_email',
    token => 'ab' x 32, email => undef));
ok($sql->wait_for_lock($link), 'the link waits for the account');
ok(eval { $first->do('SELECT identity.forget_links(?)', undef, $kofi) },
   'and not the account for the link') or diag $@;
$first->commit;
is($sql->finish($link)->{message}, 'link-over', 'which is over then');
is($sql->value('SELECT email_verified_at FROM identity.account WHERE id = ?',
               $kofi), undef, 'and proves nothing');

# the password alone forgives no codes, where two factors are asked for
my $abena = $sql->register('abena');
my $tag = $sql->value('SELECT identity.credential_tag(c)
                       FROM identity.credential AS c WHERE account = ?',
                      $abena);
my @change = ('identity.change_password', as => $abena,
              current_password => "ok:$tag", new_password => $phc);
sub guess {
    $sql->value('SELECT identity.login_failed(?, ?)', 'abena@example.org',
                '127.0.0.1') for 1 .. 4;
}
sub failures {
    return $sql->value(q{
        SELECT coalesce(max(failures), 0) FROM identity.login_failure
        WHERE principal = sha256('abena@example.org')});
}
guess();
is($sql->call(@change)->{status}, 204, 'a password is changed');
is(failures(), 0, 'which forgives failures where it is all there is');
$sql->{dbh}->do(q{INSERT INTO identity.totp (account, sealed, confirmed_at)
                  VALUES (?, '$azs$x', now())}, undef, $abena);
guess();
is($sql->call(@change)->{status}, 204, 'it is changed again');
is(failures(), 4, 'and who guesses codes is not forgiven by it');

# a secret that never came into force is no second factor to turn off
my $efua = $sql->register('efua');
$sql->{dbh}->do(q{INSERT INTO identity.totp (account, sealed)
                  VALUES (?, '$azs$x')}, undef, $efua);
sub turned_off {
    return $sql->call('identity.remove_totp', as => $efua,
                      in => session($efua, 2));
}
is(turned_off()->{problem}, 'not-found', 'there is none yet');
$sql->{dbh}->do('UPDATE identity.totp SET confirmed_at = now()
                 WHERE account = ?', undef, $efua);
is(turned_off()->{status}, 204, 'there is');
is($sql->value(q{SELECT count(*) FROM journal.job
                 WHERE payload ->> 'template' = 'second-factor-removed'}), 1,
   'and of one that is turned off there is news');

# guesses that are made at once wait for each other, and for the time that the
# ones before cost, whether there is such an account or not
for my $email ('abena@example.org', 'nobody@example.org') {
    my @guess = ('identity.login', email => $email, password => 'bad',
                 refresh => undef);
    $sql->{dbh}->do('DELETE FROM identity.login_failure');
    $sql->call(@guess) for 1 .. 4;
    $first->begin_work;
    my ($query, @bind) = $sql->statement(@guess);
    $first->selectrow_array($query, undef, @bind);
    my $next = $sql->start($sql->statement(@guess));
    ok($sql->wait_for_lock($next), "$email: a guess waits for the one before");
    $first->commit;
    is($sql->finish($next)->{rows}[0]{status}, 429, 'and has to wait longer');
    is($sql->value(q{SELECT max(failures) FROM identity.login_failure}), 5,
       'without being counted');
}
$sql->{dbh}->do('DELETE FROM identity.login_failure');

# codes, too; and the login that makes an old challenge give way waits for no
# code that is tried there
$sql->value(q{SELECT identity.challenge(?)}, $abena) for 1 .. 10;
$sql->{dbh}->do(q{
    UPDATE identity.challenge SET hash = sha256('old')
    WHERE hash = (SELECT hash FROM identity.challenge
                  ORDER BY created_at, hash DESC LIMIT 1)});
$first->begin_work;
$first->do('SELECT identity.guess_wait(?, ?)', undef, 'abena@example.org',
           '127.0.0.1');
my $code = $sql->start($sql->statement('identity.mfa', code => 'wrong',
    mfa_token => unpack('H*', sha256('old')), refresh => undef));
ok($sql->wait_for_lock($code), 'a code waits for a login');
ok(eval { $first->do('SELECT identity.challenge(?)', undef, $abena) },
   'which does not wait for it') or diag $@;
$first->commit;
is($sql->finish($code)->{rows}[0]{status}, 401, 'its challenge is over');

# a program that logs in all day does not make each login read all of that
my $robot = $sql->register('robot');
sub open_session {
    my ($query, @bind) = $sql->caller_of(as => $robot);
    return $sql->value("SELECT identity.open_session($query, ?,
                            '{learner}') ->> 'session'", @bind, $robot);
}
sub ended {
    return $sql->value('SELECT count(*) FROM identity.session
        WHERE account = ? AND revoked_at IS NOT NULL', $robot);
}
$sql->{dbh}->do(q{
    INSERT INTO identity.session (id, account, expires_at, revoked_at)
    SELECT i.id, ?, now() + interval '30 days', now()
    FROM unnest(azora.uuid7_series(now(), 1400)) AS i (id)}, undef, $robot);
$sql->{dbh}->do(q{
    INSERT INTO identity.refresh_token (hash, session, expires_at)
    SELECT sha256('robot'), min(s.id::text)::uuid, now() + interval '1 day'
    FROM identity.session AS s WHERE s.account = ?}, undef, $robot);
my $newest = $sql->value(q{SELECT max(id::text) FROM identity.session
                           WHERE account = ?}, $robot);
open_session();
is(ended(), 400, 'a thousand sessions of before go at a time');
open_session();
is(ended(), 200, 'until two hundred are left');
$sql->{dbh}->do(q{
    INSERT INTO identity.session (id, account, expires_at, revoked_at)
    SELECT i.id, ?, now() + interval '30 days', now()
    FROM unnest(azora.uuid7_series(now() - interval '1 day', 199)) AS i (id)},
    undef, $robot);
open_session();
is(ended(), 399, 'and then not at each login');
is($sql->value('SELECT count(*) FROM identity.session WHERE id = ?', $newest),
   1, 'the newest are kept');
is($sql->value('SELECT count(*) FROM identity.session
                WHERE account = ? AND revoked_at IS NULL', $robot), 3,
   'and those that hold');

# the last admin who can log in
my $admin = $sql->register('admin');
$sql->{dbh}->do(q{UPDATE identity.account SET roles = '{admin}'
                  WHERE id = ?}, undef, $admin);
my $service = $sql->call('identity.make_service', as => $admin,
                         name => 'robot')->{body}{id};
my ($caller, @caller) = $sql->caller_of(as => $admin, in => session($admin));
sub roles {
    my ($id, $roles) = @_;
    return eval { $sql->app->selectrow_array(
        "SELECT status FROM identity.update_user($caller, ?, ?, NULL)", undef,
        @caller, $id, $roles) } // $sql->refusal($sql->app)->{problem};
}
is(roles($service, '["admin", "service"]'), 200, 'a service is an admin');
is(roles($admin, '["learner"]'), 'last-admin',
   'but cannot log in: the last one who can stays');
is(erase($admin)->{problem}, 'last-admin', 'and is not forgotten');
$sql->{dbh}->do(q{INSERT INTO identity.external_login (issuer, subject, account)
                  VALUES ('https://example.org', 's', ?)}, undef, $kofi);
$sql->{dbh}->do(q{DELETE FROM identity.credential WHERE account = ?}, undef,
                $kofi);
is(roles($kofi, '["admin"]'), 200, 'somebody else is an admin');
is(erase($admin)->{status}, 204, 'who logs in at a provider is enough');

# whoever comes from a provider without a name
sub come {
    my ($email, $subject) = @_;
    return $sql->call('identity.oauth_login', provider => 'p', code => 'c',
        state => 's', iss => undef, error => undef, refresh => undef,
        link => undef, claims => { iss => 'https://example.org',
            sub => $subject, email => $email, email_verified => \1 });
}
for my $local ('a' x 65, '@') {
    my $r = eval { come("$local\@example.org", $local) } // {};
    is($r->{problem}, 'login-refused', 'is refused with no plain address')
        or diag $@;
}
is(come('a' x 64 . '@example.org', 'a')->{status}, 200, 'has an account');
is($sql->value('SELECT name FROM identity.account
                WHERE length(email) > 64'), 'a' x 64,
   'with the beginning of the address for a name');

done_testing();

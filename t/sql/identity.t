# Accounts: registration, what a login counts, sessions, addresses.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my $phc = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA';
my %ama = (email => 'Ama@Example.org', name => 'Ama', password => $phc);

my $r = $sql->call('identity.register', %ama);
is($r->{status}, 201, 'an account is made');
is($r->{location}, '/v1/me', 'with its location');
is($r->{body}{email}, 'ama@example.org', 'its e-mail address in lower case');
is_deeply($r->{body}{roles}, ['learner'], 'as a learner');
like($r->{body}{id}, qr/^[0-9a-f]{8}-[0-9a-f]{4}-7/, 'with a UUIDv7');
like($r->{body}{created_at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
     'and an RFC 3339 time');
ok(!exists $r->{body}{password}, 'the answer has no password');
my $ama = $r->{body}{id};

is($sql->value("SELECT count(*) FROM journal.entry
                WHERE type = 'user.registered'"), 1, 'it is journaled');
is($sql->value("SELECT body::text FROM journal.payload
                WHERE body::text LIKE '%example.org%'"), undef,
   'without the e-mail address');

$r = $sql->call('identity.register', %ama, email => 'AMA@example.org');
is("$r->{status} $r->{problem} $r->{pointer}", '409 email-taken /email',
   'the same address in other letters is taken');
is($sql->value('SELECT count(*) FROM identity.account'), 1,
   'and nothing was written');

$r = $sql->call('identity.me', as => $ama);
is_deeply([@{$r->{body}}{qw(id email name)}],
          [$ama, 'ama@example.org', 'Ama'], 'the account reads itself');
is($sql->call('identity.me',
              as => '00000000-0000-7000-8000-000000000000')->{status},
   404, 'an account that is gone gets 404');

# credentials
is_deeply($sql->app->selectall_arrayref(
    "SELECT account::text, password, wait_seconds, length(tag)
     FROM identity.credential('AMA\@example.org')"), [[$ama, $phc, 0, 16]],
    'NGINX gets the hash to verify and a name for it');
is_deeply($sql->app->selectall_arrayref(
    "SELECT account FROM identity.credential('nobody\@example.org')"), [],
    'and no row for an unknown account');


# NGINX names the hash that it verified
sub tag {
    return $sql->value('SELECT identity.credential_tag(c)
                        FROM identity.credential AS c');
}

sub login {
    my (%opts) = @_;

    $opts{password} =~ s/^(ok|rehash)/"$1:" . tag()/e;
    return $sql->call('identity.login', email => 'ama@example.org',
                      refresh => undef, %opts);
}

sub journaled {
    $sql->value('SELECT count(*) FROM journal.entry WHERE type = ?', $_[0]);
}


$r = login(password => 'ok');
is($r->{status}, 200, 'a good password logs in');
is($r->{body}{subject}, $ama, 'as the account');
is_deeply($r->{body}{roles}, ['learner'], 'with its roles');
is($r->{body}{acr}, '1', 'and one factor');
is_deeply([split / /, $r->{body}{scope}],
          [qw(course:read course:study market:read market:write profile:read
              profile:write wallet:read wallet:write)], 'and its scope');
is($sql->value('SELECT address_prefix FROM identity.session WHERE id = ?',
               $r->{body}{session}), '127.0.0.0/24',
   'the session keeps the network of the client, not its address');
is(journaled('user.logged_in'), 1, 'the login is journaled');

$r = login(password => "rehash:${phc}x");
is($r->{status}, 200, 'a hash of old parameters logs in');
is($sql->value('SELECT password FROM identity.credential'), "${phc}x",
   'and is replaced');

$r = $sql->call('identity.login', email => 'ama@example.org',
                password => 'ok:0123456789abcdef', refresh => undef);
is("$r->{status} $r->{problem}", '401 invalid-credentials',
   'a password that was changed while it was verified proves nothing');
$sql->{dbh}->do('DELETE FROM identity.login_failure');

# lockout, the same for known and unknown accounts
for my $email ('ama@example.org', 'nobody@example.org') {
    for my $n (1 .. 5) {
        $r = login(email => $email, password => 'bad');
        is("$r->{status} $r->{problem}", '401 invalid-credentials',
           "$email: failure $n is counted");
    }
    $r = login(email => $email, password => 'bad');
    is("$r->{status} $r->{problem}", '429 too-many-attempts',
       "$email: the sixth has to wait");
}
is(journaled('user.login_failed'), 11, 'failures are journaled');
is(login(password => 'ok')->{status}, 429, 'so has the right password');
is(login(password => 'ok', address => '10.0.0.1')->{status}, 429,
   'from elsewhere too');
cmp_ok($sql->app->selectrow_array(
    "SELECT wait_seconds FROM identity.credential('ama\@example.org')"),
    '>=', 1, 'NGINX is told how long');

# each further failure doubles the wait, up to 15 minutes
my @waits;
for (6 .. 18) {
    $sql->{dbh}->do("UPDATE identity.login_failure
                     SET blocked_until = now() - interval '1 second'");
    login(password => 'bad');
    push @waits, $sql->value(
        "SELECT extract(epoch FROM max(blocked_until - last_at))::int
         FROM identity.login_failure
         WHERE principal = sha256('ama\@example.org') AND address = ''");
}
is_deeply(\@waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900],
          'the wait doubles to 15 minutes');

$sql->{dbh}->do("UPDATE identity.login_failure
                 SET blocked_until = now() - interval '1 second'");
is(login(password => 'ok')->{status}, 200, 'afterwards it logs in');
is($sql->value("SELECT count(*) FROM identity.login_failure
                WHERE principal = sha256('ama\@example.org')"), 0,
   'and the count is over');

$sql->{dbh}->do("UPDATE identity.login_failure
                 SET last_at = now() - interval '3 days'");
$sql->app->do('SELECT azora.purge(100)');
is($sql->value('SELECT count(*) FROM identity.login_failure'), 0,
   'old counts are purged');

# of everything that ends, what is over goes and what is not stays
my @ending = (
    ['challenge', 'hash, account, created_at, expires_at',
     q{sha256(n), $1, at - interval '1 minute', at}],
    ['one_time_token',
     'hash, account, purpose, email, created_at, expires_at',
     q{sha256(n), $1, 'password-reset', 'x@example.org',
       at - interval '1 minute', at}],
    ['registration', 'id, email, name, hash, created_at',
     q{azora.uuid7(), encode(n, 'escape') || '@example.org', 'X',
       sha256(n), at}],
    ['phone_code', 'id, account, phone, hash, created_at',
     q{azora.uuid7(), $1, '+254712345678', sha256(n), at}],
    ['revocation', 'seq, target, epoch, at',
     q{CASE n WHEN '1' THEN 900001 ELSE 900002 END, $1, 1, at}],
);
for my $one (@ending) {
    my ($table, $columns, $values) = @$one;
    $sql->{dbh}->do("DELETE FROM identity.$table");
    $sql->{dbh}->do("INSERT INTO identity.$table ($columns)
        SELECT $values
        FROM (VALUES ('1'::bytea, now() - interval '3 days'),
                     ('2'::bytea, now() + interval '1 minute')) AS v (n, at)"
        =~ s/\$1/'$ama'/r);
}
$sql->app->do('SELECT azora.purge(100)');
is($sql->value("SELECT count(*) FROM identity.$_->[0]"), 1,
   "$_->[0]: the old goes, the new stays") for @ending;

$sql->{dbh}->do('UPDATE identity.account SET locked = true');
is(login(password => 'ok')->{status}, 401, 'a locked account stays out');

# addresses
for (['10.1.2.3', '10.1.2.0/24'], ['2001:db8:1:2::3', '2001:db8:1::/48'],
     ['unix:', undef], ['', undef])
{
    is($sql->value('SELECT identity.address_prefix(?)', $_->[0]), $_->[1],
       "network of '$_->[0]'");
}

is($sql->value("SELECT identity.scopes('{admin,auditor}') LIKE '%admin%'"),
   1, 'admins have the scope admin');
is($sql->value("SELECT identity.scopes('{}')"), '', 'no role, no scope');

done_testing();

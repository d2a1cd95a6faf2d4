# An Idempotency-Key has one effect: repeated, with another payload, raced by
# two connections, after a refusal, and until it is purged.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my ($ama, $kofi) = map { $sql->register($_) } qw(ama kofi);

my %job = (title => 'Carry water', description => 'Two trips a day.',
           currency => 'AZR', budget => '1.5', skills => '["strong"]');

sub jobs { $sql->value('SELECT count(*) FROM market.job') }

sub entries {
    $sql->value('SELECT count(*) FROM journal.entry WHERE type = ?', $_[0]);
}


# the same key again
my %keyed = (keyed => 1, key => 'k1', as => $ama);
my $first = $sql->call('market.post_job', %keyed, %job);
is($first->{status}, 201, 'a job is posted');

my $again = $sql->call('market.post_job', %keyed, %job);
is($again->{status}, 201, 'the repeat has the status');
is($again->{text}, $first->{text}, 'and the very body');
is($again->{location}, $first->{location}, 'and the location');
ok($again->{repeat}, 'without running the function');
is(jobs(), 1, 'there is one job');
is(entries('job.posted'), 1, 'and one journal entry');

# another payload
my $other = $sql->call('market.post_job', %keyed, %job, payload => 'b' x 64);
is("$other->{status} $other->{problem}", '422 idempotency-conflict',
   'the key with another payload is refused');
is(jobs(), 1, 'and nothing is written');

# others' keys, other routes
is($sql->call('market.post_job', %keyed, %job, as => $kofi)->{status}, 201,
   'the same key of another account is independent');
is($sql->call('market.post_job', %keyed, %job, route => 'POST /v1/else')
   ->{status}, 201, 'and so is the one of another route');
is(jobs(), 3, 'so there are three jobs');

# a refusal is not kept
my %poor = (%job, currency => 'XXX');
is($sql->call('market.post_job', %keyed, key => 'k2', %poor)->{problem},
   'unknown-currency', 'a request is refused');
is($sql->call('market.post_job', %keyed, key => 'k2', %job)->{status}, 201,
   'its key can be used again');

# length
for my $length (256, 1000) {
    my $r = $sql->call('market.post_job', %keyed, %job, key => 'x' x $length);
    is("$r->{status} $r->{problem}", '400 invalid-idempotency-key',
       "a key of $length characters is refused");
}
is($sql->call('market.post_job', %keyed, %job, key => 'x' x 255)->{status},
   201, 'one of 255 is not');

# anonymous callers
my %new = (email => 'esi@example.org', name => 'Esi',
           password => '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA');
my %anonymous = (keyed => 1, key => 'r1', route => 'POST /v1/auth/register');
is($sql->call('identity.register', %anonymous, %new)->{status}, 201,
   'an anonymous caller has keys too');
ok($sql->call('identity.register', %anonymous, %new)->{repeat},
   'and gets the first answer again, not 409');

# two connections at once: the second waits and gets the first one's answer
my $one = $sql->connect(role => 'azora_app');
my %race = (keyed => 1, key => 'race', as => $ama, %job);
my $count = jobs();

$one->begin_work;
my $won = $sql->call('market.post_job', %race, on => $one);
my $second = $sql->start($sql->statement('market.post_job', %race));
ok($sql->wait_for_lock($second), 'the second request waits');
$one->commit;

my $lost = $sql->finish($second);
is($lost->{state}, 'AZ000', 'then it is answered without running');
is($lost->{message}, 201, 'with the status');
is($lost->{detail}, $won->{text}, 'and the body of the first');
is(jobs(), $count + 1, 'one effect');

# when the first one fails, the second takes its place
$one->begin_work;
$sql->call('market.post_job', %race, key => 'race2', on => $one);
$second = $sql->start(
    $sql->statement('market.post_job', %race, key => 'race2'));
$sql->wait_for_lock($second);
$one->rollback;
is($sql->finish($second)->{rows}[0]{status}, 201,
   'the second one runs when the first was rolled back');
is(jobs(), $count + 2, 'again one effect');

# keys are purged after a day
$sql->{dbh}->do("UPDATE azora.idempotency
                 SET created_at = now() - interval '25 hours'
                 WHERE key IN ('k1', 'race')");
is($sql->app->selectrow_array('SELECT azora.purge(2)'), 2,
   'the purge takes a batch');
is($sql->app->selectrow_array('SELECT azora.purge(100)'), 2, 'then the rest');
is($sql->app->selectrow_array('SELECT azora.purge(100)'), 0, 'then nothing');
is($sql->value("SELECT count(*) FROM azora.idempotency
                WHERE key IN ('k1', 'race')"), 0, 'old keys are gone');
ok($sql->call('market.post_job', %race, key => 'race2')->{repeat},
   'younger ones are kept');

done_testing();

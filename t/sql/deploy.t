# The schema deploys, verifies, reverts and deploys again; a deploy that has
# nothing to do is quick and changes nothing.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new(deploy => 0);
my $root = $Azora::SQL::ROOT;


sub sqitch {
    my (@command) = @_;
    local %ENV = (%ENV, $sql->env, SQITCH_USER_CONFIG => '/dev/null',
                  SQITCH_FULLNAME => 'Test', SQITCH_EMAIL => 't@example.org',
                  PGOPTIONS => '-c client_min_messages=warning');

    return system("cd '$root/sql' && sqitch --quiet @command db:pg:"
                  . ' >/dev/null') == 0;
}


# Of the processes that were started, so that a busy machine changes nothing.
sub processor_seconds {
    my (undef, undef, $user, $system) = times;
    return $user + $system;
}


sub functions {
    return $sql->rows(q{
        SELECT p.oid::regprocedure::text, md5(p.prosrc), p.proacl::text
        FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname IN ('azora', 'journal', 'identity', 'learning',
                            'ledger', 'market', 'court')
        ORDER BY 1});
}


$sql->deploy('--no-seed');
is($sql->value('SELECT count(*) FROM ledger.currency'), 0,
   'without the seed there is no content');

$sql->deploy;
is($sql->value('SELECT count(*) FROM ledger.currency'), 8,
   'the seed brings the currencies');
cmp_ok($sql->value("SELECT count(*) FROM learning.course_version
                    WHERE state = 'published'"), '>=', 3, 'courses');
is($sql->value('SELECT count(*) FROM court.principle'), 5,
   'five principles');

# given a deployed database, when nothing changed, then nothing changes
my $before = functions();
my $generation = $sql->value(
    "SELECT value FROM azora.generation WHERE name = 'catalogue'");
my $spent = processor_seconds();
$sql->deploy;
cmp_ok(processor_seconds() - $spent, '<', 3, 'a second deploy is quick');
is_deeply(functions(), $before, 'and leaves the functions as they were');
is($sql->value("SELECT value FROM azora.generation
                WHERE name = 'catalogue'"), $generation,
   'and the content too');

# given a function that no file makes any more, then it goes
# and one that changed its result is made anew
$sql->{dbh}->do('SET ROLE azora_owner;
                 CREATE FUNCTION ledger.stray() RETURNS int LANGUAGE sql
                 AS $$ SELECT 1 $$;
                 DROP FUNCTION azora.rfc3339(timestamptz);
                 CREATE FUNCTION azora.rfc3339(at timestamptz) RETURNS int
                 LANGUAGE sql AS $$ SELECT 1 $$;
                 RESET ROLE');
$sql->deploy;
is_deeply(functions(), $before, 'stray and changed functions are mended');

# given the tables, when they are verified and reverted, then nothing is left
ok(sqitch('verify'), 'the changes verify');
ok(sqitch('revert -y'), 'the changes revert');
is_deeply($sql->rows(q{
    SELECT nspname FROM pg_namespace
    WHERE nspname IN ('azora', 'journal', 'identity', 'learning', 'ledger',
                      'market', 'court')}), [], 'no schema is left');

$sql->deploy;
ok(sqitch('verify'), 'and they deploy again');
is_deeply(functions(), $before, 'to the same functions');

done_testing();

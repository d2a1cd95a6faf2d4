# What an entry is made of: names that rise, hashes that open, types that
# refuse what is none; and entries from before they were types.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my $dbh = $sql->{dbh};
my $ama = $sql->register('ama');


sub append {
    my ($n, $type) = @_;
    return $sql->value(q{
        SELECT count(journal.append(?, ?, jsonb_build_object('n', g)))
        FROM generate_series(1, ?) AS g}, $type // 'test.appended', $ama, $n);
}


# Entries of a type in the order they were written, with what came before.
sub entries {
    my ($type) = @_;
    return $sql->rows(q{
        SELECT count(*), count(DISTINCT w.id), bool_and(w.id > w.before),
               bool_and(w.payload_hash = sha256(
                   w.salt || convert_to(w.body::text, 'UTF8'))),
               bool_and(w.id::text ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7'),
               bool_and(w.id::text ~ '^.{19}[89ab]')
        FROM (SELECT e.id, e.payload_hash, p.salt, p.body,
                     lag(e.id) OVER (ORDER BY (p.body ->> 'n')::int) AS before
              FROM journal.entry AS e
                   JOIN journal.payload AS p ON p.entry = e.id
              WHERE e.type = ?) AS w}, $type)->[0];
}


# names
my $from = $sql->value('SELECT clock_timestamp()');
is(append(5000), 5000, 'many entries, one after the other');
is_deeply(entries('test.appended'), [5000, 5000, 1, 1, 1, 1],
          'have rising names of version 7 and hashes that open');
is($sql->value(q{
    SELECT count(*) FROM journal.entry AS e
    WHERE e.type = 'test.appended'
      AND (azora.uuid7_time(e.id) < date_trunc('milliseconds', ?::timestamptz)
           OR azora.uuid7_time(e.id) > clock_timestamp()
           OR e.at <> date_trunc('minute', e.at)
           OR e.at > clock_timestamp())}, $from), 0,
   'of their time; that of the entry is of a minute');

is_deeply($sql->rows(q{
    SELECT count(DISTINCT u.id), bool_and(u.id::text ~ '^.{14}7.{4}[89ab]'),
           count(DISTINCT substr(u.id::text, 20))
    FROM (SELECT azora.uuid7() AS id FROM generate_series(1, 5000)) AS u}),
    [[5000, 1, 5000]], 'others are of version 7, too, and random');

# every microsecond, and times far apart
is_deeply($sql->rows(q{
    SELECT bool_and(t.prefix > t.before), min(length(t.prefix)),
           max(length(t.prefix)), bool_and(azora.uuid7_time(
               (t.prefix || '-8000-000000000000')::uuid)
               = date_trunc('milliseconds', t.at))
    FROM (SELECT m.at, azora.uuid7_prefix(m.at) AS prefix,
                 lag(azora.uuid7_prefix(m.at)) OVER (ORDER BY m.at) AS before
          FROM (SELECT '2026-11-20 08:00:00.999+00'::timestamptz
                       + g * interval '1 microsecond' AS at
                FROM generate_series(0, 3000) AS g
                UNION ALL
                SELECT '2027-01-01 00:00:00+00'::timestamptz
                       + g * interval '1 day 1.000001 seconds'
                FROM generate_series(0, 20000) AS g) AS m) AS t}),
    [[1, 18, 18, 1]], 'no microsecond is before the one before');


# what is no entry
sub refused {
    my ($statement, @bind) = @_;
    eval { $dbh->do($statement, undef, @bind) };
    return $dbh->state;
}

my $entry = q{INSERT INTO journal.entry (id, type, at, payload_hash)
              VALUES (azora.uuid7(), ?, now(), decode(?, 'hex'))};
my $payload = q{INSERT INTO journal.payload (entry, salt, body)
                VALUES (azora.uuid7(), decode(?, 'hex'), '{}')};
my $digest = 'ab' x 32;

is(refused($entry, 'ok.event', $digest), '', 'what is right is taken');
is(refused($payload, $digest), '', 'as is its payload');
is(refused($entry, 'ab', $digest), '23514', 'a type that is too short');
is(refused($entry, 'a' x 65, $digest), '23514', 'or too long');
is(refused($entry, 'ok.event', 'ab' x 31), '23514', 'a hash that is none');
is(refused($entry, undef, $digest), '23502', 'no type at all');
is(refused($payload, 'ab' x 33), '23514', 'a salt that is none');
is(refused(q{UPDATE journal.entry SET type = ''}), '23514',
   'nor can one become so');
is(refused(q{SELECT journal.append('x', NULL, '{}')}), '23514',
   'append() takes no more than the table');
is(refused(q{SELECT journal.append_batch('x', '{NULL}', '{"{}"}',
                                         '{NULL}')}), '23514',
   'neither does append_batch()');


# rows from before
sub migrate {
    my ($which) = @_;
    local %ENV = (%ENV, $sql->env,
                  PGOPTIONS => '-c client_min_messages=warning');
    return system('psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null',
                  '-f', "$Azora::SQL::ROOT/sql/$which/entry_domains.sql") == 0;
}


# The files that hold the rows, and the rows.
sub stored {
    return $sql->rows(q{
        SELECT pg_relation_filenode('journal.entry'),
               pg_relation_filenode('journal.payload'),
               (SELECT md5(string_agg(e::text, '|' ORDER BY e.id))
                FROM journal.entry AS e),
               (SELECT md5(string_agg(p::text, '|' ORDER BY p.entry))
                FROM journal.payload AS p)});
}

ok(migrate('revert'), 'as it was before');
is(refused($entry, 'ab', $digest), '23514', 'checks refuse the same');
is(append(10, 'test.before'), 10, 'entries are written');

my $before = stored();
ok(migrate('deploy'), 'and after that the types come');
is_deeply(stored(), $before, 'no row changes or moves');
is_deeply(entries('test.before'), [10, 10, 1, 1, 1, 1], 'they are all there');
is(refused($entry, 'ab', $digest), '23514', 'and no wrong one is added');
is(append(10, 'test.after'), 10, 'but right ones are');

done_testing();

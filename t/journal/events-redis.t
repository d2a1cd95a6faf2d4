#!/usr/bin/env perl

# Events in a Redis Stream: the same as over HTTP, by the same numbers; fed by
# one of the nodes, again from PostgreSQL when Redis lost them, and not missed
# by anybody while Redis is away.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Chronicle qw(append is_numbered);
use Azora::Events;
use Azora::HTTP;
use Azora::Process qw(poll_until slurp);
use Azora::Test;
use Test::More;
use Time::HiRes qw(sleep time);

my $azora = Azora::Test->start(workers => 2, http => <<'END');
azora_events_stream test:events maxlen=300;
END

my $patience = $azora->patience;
my $amina = $azora->user('amina');
my $service = $azora->user('service', roles => ['service']);

sub redis {
    my (@command) = @_;
    open my $out, '-|', 'redis-cli', '-s', $azora->redis_socket, @command
        or die "$!\n";
    local $/;
    return scalar readline $out;
}

# id => { type, event } as the stream has them, and the ids in their order
sub stream {
    my @lines = split /\n/, redis('XRANGE', 'test:events', '-', '+');
    my (%entries, @ids);

    while (my ($id, $type_is, $type, $event_is, $event) = splice @lines, 0, 5) {
        push @ids, $id;
        $entries{$id} = { $type_is => $type, $event_is => $event };
    }

    return (\%entries, @ids);
}

sub size { return $azora->value('SELECT size FROM journal.tree') }

sub has_all {
    my ($name, $first) = @_;
    my @ids;

    ok is_numbered($azora), "$name: all have numbers";
    ok poll_until(10 * $patience, sub {
        (undef, @ids) = stream();
        return @ids && $ids[-1] eq size() - 1 . '-0';
    }), "$name: the last one is there";
    is join(' ', map { s/-.*//r } @ids),
       join(' ', $ids[0] =~ s/-.*//r .. size() - 1), "$name: without a gap";
    is $ids[0], $first, "$name: from the first" if defined $first;
}

append($azora, $amina->{id}, 20);
has_all('at first', '0-1');

my ($entries) = stream();
my ($row) = $azora->sql(q{
    SELECT e.seq, e.type FROM journal.entry AS e
    WHERE e.type = 'test.counted' ORDER BY e.seq LIMIT 1});
my $entry = $entries->{"$row->{seq}-0"};
is $entry->{type}, 'test.counted', 'an entry has the type';

my $events = Azora::Events->new($azora);
my $stream = $events->follow(token => $service->{token},
    query => 'last_event_id=-1&type=test.counted');
ok $events->run(10 * $patience, sub { @{ $stream->{events} } >= 20 }),
    'the same over HTTP';
is $stream->{events}[0]{data}, $entry->{event}, '... byte by byte';

append($azora, $amina->{id}, 700);
has_all('many more');
cmp_ok redis('XLEN', 'test:events'), '<', 600, 'the oldest are gone';

redis('FLUSHALL');
ok poll_until(10 * $patience, sub { redis('XLEN', 'test:events') >= 300 }),
    'wiped, and fed again without a new event';
has_all('after FLUSHALL', size() - 300 . '-0');

my $seen = @{ $stream->{events} };
my $mark = $azora->mark;
$azora->stop_redis;
append($azora, $amina->{id}, 5);
ok is_numbered($azora), 'Redis is away, and something happens';
my $all = $azora->value(
    q{SELECT count(*) FROM journal.entry WHERE type = 'test.counted'});
ok $events->run(10 * $patience, sub { @{ $stream->{events} } >= $all }),
    '... clients hear of it all the same';
my @said = $azora->error_log($mark) =~ /\[warn\].*(azora: Redis: .*)/g;
cmp_ok scalar @said, '<=', 3, '... which each connection says once'
    or diag join "\n", @said;
$azora->start_redis;
has_all('Redis is back');

# a second node with the same Redis
sub added {
    my ($node) = @_;
    my ($n) = $node->get('/metrics')->{body}
              =~ /^nexus_stream_added_total (\d+)$/m;
    return $n;
}

my $other = Azora::Test->start(workers => 1, redis => 0, edit => sub {
    my $dir = $azora->{dir};
    s{[^"\s;]*/secrets/postgres\.conf}{$dir/secrets/postgres.conf}g;
    s{(azora_chronicle_key\s+)"[^"]*"}{$1"$dir/keys/chronicle.key"};
    s{^\s*azora_redis.*$}{azora_redis "unix:@{[$azora->redis_socket]}";
        azora_events_stream test:events maxlen=300;}m;
});
my ($before, $size) = (added($azora) + added($other), size());
for (1 .. 10) {
    append($azora, $amina->{id}, 3);
    sleep 0.1;
}
has_all('two nodes');
is added($azora) + added($other) - $before, size() - $size,
    'each event was added by one of them';

my ($feeder) = redis('GET', 'test:events:feeder') =~ /(\w+)/;
$azora->kill_worker('TERM') for 1 .. 2;
append($azora, $amina->{id}, 3);
has_all('whoever feeds');
$other->stop;

done_testing;

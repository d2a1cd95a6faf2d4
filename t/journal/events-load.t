#!/usr/bin/env perl

# Streams while things happen: a thousand of them across five reloads, slow
# ones, two nodes on one database, PostgreSQL restarted.  Each client must have
# each event once and in order.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Chronicle qw(append is_numbered);
use Azora::Events;
use Azora::Load;
use Azora::Process qw(poll_until slurp);
use Azora::Test;
use Test::More;
use Time::HiRes qw(sleep time);

my $STREAMS = $ENV{SANITIZE} ? 200 : 1_000;

my $azora = Azora::Test->start(workers => 2, postgres => 'own',
    http => "azora_events_per_account 1000;\n",
    server => 'location = /pid { azora_auth off; return 200 $pid; }');
my $patience = $azora->patience;
my @people = map { $azora->user("person$_") } 1 .. 8;
my $service = $azora->user('service', roles => ['service']);

ok is_numbered($azora), 'it works';

sub happens {
    return Azora::Load->start($azora, 2, sub {
        my ($n, $i) = @_;
        my $done = eval {
            append($azora, $people[($n + $i) % @people]{id}, 1 + $i % 4);
            1;
        };
        sleep 0.02;
        return $done ? 'done' : 'failed';
    });
}

# Batches that a node has numbered
sub numbered {
    my ($node) = @_;
    my ($n) = $node->get('/metrics')->{body}
              =~ /^chronicle_integrations_total (\d+)$/m;
    return $n;
}

# What a stream must have had since it began
sub expected {
    my ($who, $from) = @_;
    return [map { $_->{seq} } $azora->sql(q{
        SELECT e.seq FROM journal.entry AS e
               JOIN journal.payload AS p ON p.entry = e.id
        WHERE e.seq >= ? AND e.type = 'test.counted'
          AND (?::uuid IS NULL OR p.subject = ?::uuid)
        ORDER BY e.seq}, $from, $who, $who)];
}

# All streams have all they should, each once, in order
sub all_have_all {
    my ($events, $name, @streams) = @_;
    my (%expected, $last);

    ok is_numbered($azora, 20), "$name: all have numbers";
    for my $stream (@streams) {
        my $key = $stream->{who} || '';
        $stream->{expected} =
            $expected{"$key $stream->{from}"}
                ||= expected(@$stream{qw(who from)});
    }

    ok $events->run(20 * $patience, sub {
        return !grep { @{ $_->{events} } < @{ $_->{expected} } } @streams;
    }), "$name: all of it arrives" or diag join "\n", map {
        @{ $_->{events} } . ' of ' . @{ $_->{expected} }
        . " opened $_->{opened} refused $_->{refused}"
    } (grep { @{ $_->{events} } < @{ $_->{expected} } } @streams)[0 .. 2];

    my @wrong = grep {
        join(' ', map { $_->{id} } @{ $_->{events} })
            ne join(' ', @{ $_->{expected} })
    } @streams;
    is scalar @wrong, 0, "$name: without a gap or a repeat, " . @streams
        . ' streams of ' . @{ $streams[0]{expected} } . ' events';
}

subtest 'begun while PostgreSQL is away' => sub {
    # a token that nobody knows makes a worker read what was revoked
    my @fresh = map { $azora->user("fresh$_") } 1 .. 2;
    my %asked;
    poll_until(20 * $patience, sub {
        my $one = $azora->connect;
        my $pid = $azora->get('/pid', connection => $one)->{body};
        $asked{$pid} = $azora->get('/v1/me', connection => $one,
            token => (shift @fresh)->{token})->{status} if !$asked{$pid};
        $one->close;
        return !@fresh;
    }) or die 'not all workers are asked';
    is join(' ', values %asked), '200 200', 'all workers know';
    my $from = $azora->value('SELECT size FROM journal.tree');
    $azora->stop_postgres('fast');

    my $events = Azora::Events->new($azora);
    my @streams = map {
        $events->follow(token => $people[0]{token}, who => $people[0]{id},
                        from => $from)
    } 1 .. 8;
    ok $events->run(10 * $patience, sub { !grep { !$_->{opened} } @streams }),
        'streams from now on, on workers that had none';
    is scalar(grep { $_->{refused} } @streams), 0, 'none is refused';

    $azora->start_postgres;
    ok poll_until(10 * $patience, sub { eval { $azora->dbh } }), 'it is back';
    $azora->wait_ready;
    append($azora, $people[0]{id}, 3);
    all_have_all($events, 'and they go on', @streams);
    $events->leave_all;
};


subtest 'five reloads' => sub {
    my $from = $azora->value('SELECT size FROM journal.tree');
    my $events = Azora::Events->new($azora);
    my @streams = map {
        my $who = $people[$_ % @people];
        $events->follow(token => $who->{token}, who => $who->{id},
                        from => $from, last => $from - 1, wait => 0.2);
    } 1 .. $STREAMS - 5;
    push @streams, map {
        $events->follow(token => $service->{token}, from => $from, wait => 0.2,
                        query => 'type=test.counted', last => $from - 1);
    } 1 .. 5;

    ok $events->run(20 * $patience, sub { !grep { !$_->{opened} } @streams }),
        scalar(@streams) . ' streams are open';
    my $load = happens();

    for my $turn (1 .. 5) {
        my %old = map { $_ => 1 } $azora->worker_pids;
        kill HUP => $azora->master_pid;
        my $begin = time;
        ok $events->run(20 * $patience, sub {
            return !grep { $old{$_} } $azora->worker_pids;
        }), sprintf 'reload %d: the old workers are gone after %.1f s', $turn,
            time - $begin;
        ok $events->run(20 * $patience, sub {
            return !grep { !$_->{http} || !$_->{status} } @streams;
        }), '... and all streams with the new';
    }

    $load->stop;
    all_have_all($events, 'after five reloads', @streams);
    cmp_ok((sort { $a <=> $b } map { $_->{closed} } @streams)[0], '>=', 5,
           'each was cut and came back');
    $events->leave_all;
};

subtest 'slow clients' => sub {
    my $from = $azora->value('SELECT size FROM journal.tree');
    my $events = Azora::Events->new($azora);
    my @streams = map {
        $events->follow(token => $service->{token}, from => $from,
                        query => 'type=test.counted', last => $from - 1);
    } 1 .. 20;
    ok $events->run(10 * $patience, sub { !grep { !$_->{opened} } @streams }),
        'twenty';
    my $memory = sub {
        my $sum = 0;
        for my $pid ($azora->worker_pids) {
            $sum += $1 if slurp("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m;
        }
        return $sum / 1024;
    };
    my $before = $memory->();

    # nobody reads while this happens: 12 MB for each
    $azora->sql(q{
        SELECT journal.append_batch('test.counted',
                   array_agg(?::uuid),
                   array_agg(json_build_object('text', repeat('x', 20000))),
                   array_agg(NULL::text))
        FROM generate_series(1, 600) AS i}, $people[0]{id});
    ok is_numbered($azora, 20), 'much happens';
    sleep 1;
    my $grown = $memory->() - $before;
    note sprintf 'the workers grew by %.1f MB', $grown;
    # a sanitizer keeps what was freed
    cmp_ok $grown, '<', $ENV{SANITIZE} ? 600 : 40,
        'what they do not read is not kept for them';
    all_have_all($events, 'when they read again', @streams);
    $events->leave_all;
};

subtest 'two nodes, and PostgreSQL away' => sub {
    my $other = Azora::Test->start(workers => 2, edit => sub {
        my $dir = $azora->{dir};
        s{[^"\s;]*/secrets/postgres\.conf}{$dir/secrets/postgres.conf}g;
        s{(azora_chronicle_key\s+)"[^"]*"}{$1"$dir/keys/chronicle.key"};
        s{(azora_auth_key_dir\s+)"[^"]*"}{$1"$dir/keys"};
        s{(azora_auth_pepper\s+)"[^"]*"}{$1"$dir/keys/pepper"};
    });
    my $from = $azora->value('SELECT size FROM journal.tree');
    my $events = Azora::Events->new($azora);
    my @streams = map {
        my $node = $_ % 2 ? $azora : $other;
        my $who = $people[$_ % @people];
        $events->follow(azora => $node, token => $who->{token},
                        who => $who->{id}, from => $from, last => $from - 1);
    } 1 .. 16;
    ok $events->run(10 * $patience, sub { !grep { !$_->{opened} } @streams }),
        'streams of both';
    my $load = happens();
    $events->run(0.5);

    my @numbered = map { numbered($_) } $azora, $other;
    $events->run(1.5);
    my @more = (numbered($azora) - $numbered[0],
                numbered($other) - $numbered[1]);
    is scalar(grep { $_ > 0 } @more), 1, "one of them numbers: @more";
    $azora->stop_postgres('fast');
    $events->run(0.5);

    # who comes now is let in when it is back
    push @streams, map {
        $events->follow(token => $people[0]{token}, who => $people[0]{id},
                        from => $from, last => $from - 1);
    } 1 .. 4;
    $azora->start_postgres;
    ok poll_until(10 * $patience, sub { eval { $azora->dbh } }),
        'PostgreSQL is back';
    $events->run(2);
    $load->stop;
    $azora->wait_ready;
    all_have_all($events, 'on both', @streams);
    is scalar(grep { $_->{closed} } @streams), 0, 'and no stream was cut';
    $events->leave_all;
    $other->stop;
};

done_testing;

# Durable transfers over HTTP: the real schema with its constraints, keys and
# journal, fsync on, PostgreSQL as `make run` starts it, two workers.
#
# BENCH_ACCOUNTS (1,000,000) and BENCH_POSTINGS (20,000,000) are the size of
# the big case.  BENCH_LINES="single big" measures only those.

use strict;
use warnings;

use Azora::Bench;
use Azora::Ledger;
use Azora::Process qw(slurp);
use Azora::Test;

my $SMALL = 20_000;
my $BIG = $ENV{BENCH_ACCOUNTS} || 1_000_000;
my $BIG_POSTINGS = $ENV{BENCH_POSTINGS} || 20_000_000;
my %wanted = map { $_ => 1 } split ' ', $ENV{BENCH_LINES}
             || 'single rate hot prisma alone big';

my $azora = ledger_of($SMALL, 4 * $SMALL);
my $requests = requests($azora, $SMALL);
my $single = single_transfer($SMALL);

sub ledger_of {
    my ($accounts, $postings) = @_;
    my $instance = Azora::Test->start(workers => 2, postgres => 'own');

    seed($instance, $accounts, $postings);

    return $instance;
}

sub transfers {
    my ($instance, $file, $seen) = @_;

    return sub {
        my (%opts) = @_;
        my $result = load($instance->{port}, $file, %opts);
        push @$seen, $result if $seen && !$opts{warm};
        return $result->{rate};
    };
}

sub milliseconds {
    my ($name, $seen) = @_;
    return median(map { $_->{$name} } @$seen) / 1000;
}

sub measure_single {
    my @seen;

    compare('transfer-single', transfers($azora, $requests, \@seen),
            sub { return pgbench($azora, $single, clients => 32, @_) },
            target => '1.9 and 40,000/s');
    report('transfer-single-p99-ms', milliseconds('p99', \@seen), 15);

    my $before = usage($azora);
    transfers($azora, $requests)->();
    my ($us, $flushes) = per_transfer($before, usage($azora));

    printf "      per transfer %.4f flushes of the log and %.1f us of"
        . " PostgreSQL's processor time, the sequencer's included\n",
        $flushes, $us;

    my ($huge) = slurp('/proc/meminfo') =~ /^HugePages_Total:\s+(\d+)/m;
    printf "      huge pages: %s\n", $huge ? "$huge reserved" : 'none';
}

sub measure_rate {
    my @seen;

    for (1 .. runs()) {
        transfers($azora, $requests, \@seen)->(rate => 20_000);
    }

    report('transfer-rate-p99-ms', milliseconds('p99', \@seen), 5);
    printf "      %.0f/s of 20,000/s due, p50 %.1f ms\n",
        median(map { $_->{rate} } @seen), milliseconds('p50', \@seen);
}

sub measure_hot {
    compare('transfer-hot',
            transfers($azora, requests($azora, $SMALL, hot => 1)),
            sub { return pgbench($azora, single_transfer($SMALL, hot => 1),
                                 clients => 32, @_) },
            target => '8 and 40,000/s');
}

# Not faster than the statement itself: what HTTP and the batch lane add.
sub measure_alone {
    compare('transfer-alone', sub {
        return load($azora->{port}, $requests, connections => 1, @_)->{rate};
    }, sub { return pgbench($azora, $single, clients => 1, @_) },
    target => '0.77', note => 'one client after the other: 1 / 0.77 = 1.3 '
                              . 'times the latency');
}

sub measure_prisma {
    my $port = peer($azora, 'transfer.mjs');
    my $file = requests($azora, $SMALL, token => \&hs256_token);

    compare('transfer-prisma', transfers($azora, $requests),
            sub { return load($port, $file, @_)->{rate} },
            target => 50,
            note => 'against Express 5 with a Prisma transaction, two '
                    . 'processes, 256 connections both');
}

# PostgreSQL's own time for one call, of many accounts in turn.
sub statement_ms {
    my ($instance, $call) = @_;
    my $dbh = $instance->dbh;
    my @times;

    for my $i (1 .. 200) {
        my $who = owner(1 + int rand $BIG);
        my $plan = join "\n", map { $_->[0] } @{ $dbh->selectall_arrayref(
            'EXPLAIN (ANALYZE, TIMING OFF) ' . $call =~ s/OWNER/$who/r) };
        push @times, $1 if $i > 20 && $plan =~ /Execution Time: ([\d.]+)/;
    }

    return median(@times);
}

sub measure_big {
    my $big = ledger_of($BIG, $BIG_POSTINGS);

    compare('transfer-big', transfers($big, requests($big, $BIG)),
            transfers($azora, $requests), target => 0.8,
            note => "$BIG accounts and $BIG_POSTINGS postings against $SMALL "
                    . 'accounts');
    my $caller = q{caller => '(OWNER,,{learner},,,,,,)'::azora.caller};

    report('statement-big-ms', statement_ms($big, <<"END"), 2);
SELECT status FROM ledger.statement($caller, currency => 'AZR',
    "limit" => 20, cursor => NULL)
END
    report('past-balance-big-ms', statement_ms($big, <<"END"), 2);
SELECT status FROM ledger.get_wallet($caller, currency => 'AZR',
    at => now() - interval '29 days 20 hours')
END
}

measure_single() if $wanted{single};
measure_rate()   if $wanted{rate};
measure_hot()    if $wanted{hot};
measure_alone()  if $wanted{alone};
measure_prisma() if $wanted{prisma};
measure_big()    if $wanted{big};

my $wrong = $azora->value('SELECT count(*) FROM ledger.verify()');
die "ledger.verify() found $wrong broken invariants\n" if $wrong;

1;

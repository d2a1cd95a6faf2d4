# Chronicle: how many entries a second are numbered, signed, flushed to disk and
# published, how long one entry waits for that at 1,000 a second, and what an
# entry costs the transaction that writes it.

use strict;
use warnings;

use Azora::Bench;
use Azora::Chronicle qw(append audit is_numbered published);
use Azora::Process qw(slurp);
use Azora::Test;
use POSIX qw(sysconf _SC_CLK_TCK);
use Time::HiRes qw(sleep time);

my $BATCH = 40_000;

# a cluster of its own is one that flushes, as operators have it
my $azora = Azora::Test->start(workers => 1, postgres => 'own');
my $subject = $azora->user('amina')->{id};

is_numbered($azora) or die "the log does not move\n";

# Entries wait already when the clock starts: the sequencer alone is measured.
sub rate {
    my $held = $azora->dbh;
    my $size = published($azora);

    append($azora, $subject, $BATCH, hold($held));
    $held->commit;
    my $begin = time;

    while (published($azora) < $size + $BATCH) {
        die "the log does not move\n" if time - $begin > 120;
        sleep 0.005;
    }

    return $BATCH / (time - $begin);
}

sub hold {
    my ($dbh) = @_;
    $dbh->begin_work;
    return $dbh;
}

rate();
report('journal-rate', median(map { rate() } 1 .. runs()), 10_000);

# 50 entries each 50 ms; one waits from its commit until the checkpoint that
# holds it is there.
my $dbh = $azora->dbh;
my $committed = published($azora);
my (@due, @delays);
my $end = time + 3 * seconds();
my $next = time;

while (time < $end || @due) {
    if (time >= $next && time < $end) {
        append($azora, $subject, 50, $dbh);
        $committed += 50;
        push @due, [$committed, time];
        $next += 0.05;
    }

    my $size = published($azora);
    push @delays, time - (shift @due)->[1]
        while @due && $due[0][0] <= $size;
    sleep 0.002;
}

my @sorted = sort { $a <=> $b } @delays;
report('journal-delay-ms', 1000 * median(@delays), 200);
printf "      p99 %.0f ms over %d appends of 50\n",
    1000 * $sorted[int 0.99 * $#sorted], scalar @sorted;

# Processor time of the backend for one call of a function in a transaction: as
# many as make the clock's ticks of 10 ms small, after the sequencer has dealt
# with those of before.
sub cpu_us {
    my ($call) = @_;
    my $n = 30_000;
    my $backend = $azora->dbh;
    my ($pid) = $backend->selectrow_array('SELECT pg_backend_pid()');
    my $ticks = sub {
        my @stat = split ' ', slurp("/proc/$pid/stat") =~ s/\A.*\) //r;
        return $stat[11] + $stat[12];
    };
    is_numbered($azora, 60) or die "the log does not move\n";
    my $begin = $ticks->();

    $backend->do("DO 'BEGIN FOR i IN 1 .. $n LOOP PERFORM $call; END LOOP;"
                 . " END'");
    return 1e6 * ($ticks->() - $begin) / sysconf(_SC_CLK_TCK) / $n;
}

my $append = qq{journal.append(''bench.entry'', ''$subject'',
                               jsonb_build_object(''n'', i))};
report('journal-append-us', median(map {
    cpu_us($append) - cpu_us(q{jsonb_build_object(''n'', i)})
} 1 .. runs()), 15);

my ($status, $said) = audit($azora);
die $said if $status != 0;

1;

# Chronicle: how many entries a second are numbered, signed, flushed to disk and
# published, and how long one entry waits for that at 1,000 a second.

use strict;
use warnings;

use Azora::Bench;
use Azora::Chronicle qw(append audit is_numbered published);
use Azora::Test;
use Time::HiRes qw(sleep time);

my $BATCH = 40_000;

my $azora = Azora::Test->start(workers => 1);
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

my ($status, $said) = audit($azora);
die $said if $status != 0;

1;

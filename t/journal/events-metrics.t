#!/usr/bin/env perl

# What is counted of events: by type in a bounded number of series, how long a
# pass of the sequencer takes, how old what waits is.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Chronicle qw(append is_numbered);
use Azora::Process qw(poll_until);
use Azora::Test;
use Test::More;
use Time::HiRes qw(sleep);

my $azora = Azora::Test->start(workers => 2);
my $patience = $azora->patience;
my $amina = $azora->user('amina');

sub scrape {
    return map { /\A([^#\s]+(?:\{.*\})?) (\S+)\z/ ? ($1 => $2) : () }
           split /\n/, $azora->get('/metrics')->{body};
}

sub published {
    my %series = scrape();
    return map { /\Anexus_events_published_total\{type="(.*)"\}\z/
                 ? ($1 => $series{$_}) : () } keys %series;
}

append($azora, $amina->{id}, 9);
ok is_numbered($azora), 'some events';
my %expected = map { $_->{type} => $_->{n} } $azora->sql(
    'SELECT type, count(*) AS n FROM journal.entry GROUP BY type');
is_deeply { published() }, \%expected, 'are counted by their types';

my %series = scrape();
my $HISTOGRAM = 'chronicle_integrate_duration_seconds';
is $series{"${HISTOGRAM}_count"}, $series{chronicle_integrations_total},
    'each pass was measured';
is $series{"${HISTOGRAM}_bucket{le=\"+Inf\"}"}, $series{"${HISTOGRAM}_count"},
    '... as a histogram';
cmp_ok $series{"${HISTOGRAM}_sum"}, '>', 0, '... of times';
is $series{nexus_outbox_oldest_age_seconds}, 0, 'nothing waits';

# nobody can number while this holds the sequencers' lock
my $dbh = $azora->dbh;
$dbh->begin_work;
$dbh->do(q{SELECT pg_advisory_xact_lock(hashtext('journal.chronicle'))});
append($azora, $amina->{id}, 1);
ok poll_until(15 * $patience, sub {
    my %now = scrape();
    return $now{nexus_outbox_oldest_age_seconds} >= 2;
}), 'what waits grows old';
$dbh->rollback;
ok is_numbered($azora, 15), 'until it is numbered';
ok poll_until(5 * $patience, sub {
    my %now = scrape();
    return $now{nexus_outbox_oldest_age_seconds} == 0;
}), '... and the metric says so';

# types are the system's own, but a bound is a bound
for my $n (1 .. 70) {
    $azora->sql(q{SELECT journal.append(?, ?, '{}')}, "test.type_$n",
                $amina->{id});
}
ok is_numbered($azora, 15), 'seventy types';
my %by_type = published();
my $all = 0;
$all += $_ for values %by_type;
is scalar keys %by_type, 65, 'make 64 series and one for the others';
cmp_ok $by_type{other}, '>', 0, '... which has the rest';
is $all, $azora->value('SELECT count(*) FROM journal.entry'),
    'all are counted';

$azora->reload;
is_deeply { published() }, \%by_type, 'also after a reload';

done_testing;

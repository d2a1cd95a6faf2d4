# /metrics: what Prometheus reads adds up to what was asked, across workers,
# reloads and a worker's death.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use Azora::Process qw(poll_until slurp spew);
use Azora::Test;

my $azora = Azora::Test->start(expect_alert => qr/exited on signal 9/);

my $HTTP = 'http_server_request_duration_seconds';
my $SQL  = 'db_client_operation_duration_seconds';


# All series of the page by their name with labels.
sub scrape {
    my $r = $azora->get('/metrics');
    my %series;

    for my $line (grep { !/\A#/ } split /\n/, $r->{body}) {
        my ($name, $value) = $line =~ /\A(\S+(?:\{.*\})?) (\S+)\z/
            or die "not a sample: $line\n";
        die "twice: $name\n" if exists $series{$name};
        $series{$name} = $value;
    }
    return \%series;
}


sub requests {
    my ($method, $route, $status) = @_;
    return scrape()->{"${HTTP}_count{http_request_method=\"$method\","
        . "http_route=\"$route\",http_response_status_code=\"$status\"}"} || 0;
}


subtest 'the page is Prometheus text' => sub {
    $azora->get('/v1/courses');
    my $r = $azora->get('/metrics');

    is $r->{status}, 200, 'it is there';
    like $r->{headers}{'content-type'}, qr{\Atext/plain; version=0\.0\.4},
        'with its type';

    SKIP: {
        my ($promtool) = grep { -x } map { "$_/promtool" }
                         split /:/, $ENV{PATH};
        skip 'promtool is not installed (Debian package prometheus)', 1
            if !$promtool;

        spew("$azora->{dir}/metrics", $r->{body});
        is `$promtool check metrics < $azora->{dir}/metrics 2>&1`, '',
            'promtool finds nothing to complain about';
    }

    my $head = $azora->head('/metrics');
    is $head->{status}, 200, 'HEAD too';
    cmp_ok $head->{headers}{'content-length'}, '>', 1000, 'with its length';
};

subtest 'requests are counted by route, method and status' => sub {
    my $before = requests('GET', '/v1/courses/{slug}', 404);
    $azora->get("/v1/courses/none-$_") for 1 .. 7;
    is requests('GET', '/v1/courses/{slug}', 404), $before + 7,
        'seven courses that do not exist are one series';

    $before = requests('GET', 'other', 404);
    $azora->get("/v1/nowhere/$_") for 1 .. 5;
    is requests('GET', 'other', 404), $before + 5,
        'what has no row is "other"';

    my $brewed = sub {
        my $n = 0;
        $n += requests('_OTHER', 'other', $_) for 404, 405;
        return $n;
    };
    $before = $brewed->();
    $azora->request('BREW', '/v1/nowhere');
    is $brewed->(), $before + 1,
        'an unheard-of method makes no series of its own';
};

subtest 'a histogram is one' => sub {
    my $series = scrape();
    my $labels = 'http_request_method="GET",http_route="/v1/courses/{slug}",'
               . 'http_response_status_code="404"';
    my @buckets = map { $series->{"${HTTP}_bucket{$labels,le=\"$_\"}"} }
        qw(0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10 +Inf);

    is scalar(grep { !defined } @buckets), 0, 'it has OpenTelemetry\'s buckets';
    is_deeply \@buckets, [sort { $a <=> $b } @buckets], 'they are cumulative';
    is $buckets[-1], $series->{"${HTTP}_count{$labels}"}, 'up to the count';
    cmp_ok $series->{"${HTTP}_sum{$labels}"}, '>', 0, 'the sum is a time';
    cmp_ok $series->{"${HTTP}_sum{$labels}"}, '<', 60, 'in seconds';
};

subtest 'statements are measured by name' => sub {
    my $name = "${SQL}_count{db_operation_name=\"learning.get_course\"}";
    my $before = scrape()->{$name} || 0;

    $azora->get("/v1/courses/none-$_") for 1 .. 3;
    is scrape()->{$name}, $before + 3, 'three calls of one function';
};

subtest 'what else is told' => sub {
    ok poll_until(10 * $azora->patience, sub {
        return scrape()->{'azora_pg_connections{lane="read"}'} > 0;
    }), 'connections of a lane';

    my $series = scrape();
    like join("\n", keys %$series), qr/^azora_build_info\{version="[\d.]+"/m,
        'the version';
    is $series->{'circuit_breaker_state{dependency="postgres",state="closed"}'},
        1, 'the state of the breaker';
    is $series->{'circuit_breaker_state{dependency="postgres",state="open"}'},
        0, 'which is in one state only';
    cmp_ok $series->{http_server_active_requests}, '>=', 1,
        'requests under way, this one at least';
    is $series->{azora_metrics_dropped_total}, 0, 'nothing was dropped';
};

subtest 'no request is lost or counted twice' => sub {
    my $before = requests('GET', 'other', 200);
    my @children = map {
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            my $kept = $azora->connect;
            $azora->get('/livez', connection => $kept) for 1 .. 500;
            POSIX::_exit(0);
        }
        $pid;
    } 1 .. 4;
    waitpid $_, 0 for @children;

    # the first of the two looks is one of them, too
    is requests('GET', 'other', 200), $before + 2001,
        'four clients, 500 requests each';
};

subtest 'counters survive what happens to workers' => sub {
    $azora->get("/v1/courses/gone-$_") for 1 .. 4;
    my $before = requests('GET', '/v1/courses/{slug}', 404);

    $azora->reload;
    is requests('GET', '/v1/courses/{slug}', 404), $before, 'a reload';

    $azora->reload for 1 .. 3;
    $azora->get("/v1/courses/gone-$_") for 1 .. 4;
    is requests('GET', '/v1/courses/{slug}', 404), $before + 4,
        'three more, with requests behind';

    # only the new ones have successors
    poll_until(10 * $azora->patience, sub { 2 == (() = $azora->worker_pids) });
    $azora->kill_worker;
    is requests('GET', '/v1/courses/{slug}', 404), $before + 4,
        'a worker that is killed';

    ok poll_until(10 * $azora->patience, sub {
        my $n = scrape()->{'azora_pg_connections{lane="slow"}'};
        return $n == 2;
    }), 'and its connections are no longer told of';
};

subtest 'other rows after a reload keep the numbers right' => sub {
    my $file = "$azora->{dir}/nginx.conf";
    my $whole = slurp($file);
    my $path = '/v1/ledger/trial-balance';

    $azora->get($path) for 1 .. 3;
    my $before = requests('GET', $path, 200);

    # the rows behind those of the missing modules move up in the list
    spew($file, $whole =~ s/^load_module \S+_(?:course|escrow)_module.*\n//gmr);
    $azora->reload;
    $azora->get($path) for 1 .. 2;
    is requests('GET', $path, 200), $before + 2,
        'rows that moved keep their counts';
    ok poll_until(10 * $azora->patience, sub {
        return !grep { m{/v1/(?:courses|jobs)} } keys %{ scrape() };
    }), 'rows that are gone are not shown, once the old workers are';

    spew($file, $whole);
    $azora->reload;
    is requests('GET', $path, 200), $before + 2, 'and back again';
    ok poll_until(10 * $azora->patience, sub {
        return requests('GET', '/v1/courses/{slug}', 404) > 0;
    }), 'those that were gone have what they had';
};

subtest 'a scrape is quick' => sub {
    my $kept = $azora->connect;
    $azora->get('/metrics', connection => $kept);

    my $best = 9;
    for (1 .. 10) {
        my $start = time;
        $azora->get('/metrics', connection => $kept);
        my $took = time - $start;
        $best = $took if $took < $best;
    }
    cmp_ok $best, '<', 0.05 * $azora->patience, 'milliseconds, not more'
        or diag("$best s");
};

done_testing;

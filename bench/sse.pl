# Event streams: how long it takes from the commit that gives an event its
# number until the last of 8,000 clients has it, and how many idle streams fit
# into a GiB, beside Debian's nchan.

use strict;
use warnings;

use Azora::Bench;
use Azora::Chronicle qw(append is_numbered);
use Azora::Process qw(poll_until run_or_die slurp spew);
use Azora::Test;
use File::Temp qw(tempdir);
use IO::Socket::INET;
use IPC::Open2 qw(open2);
use POSIX ();
use Time::HiRes qw(sleep);

my $CLIENTS = $ENV{BENCH_STREAMS} || 8_000;
my $FILES = 2 * $CLIENTS + 2_000;
my $NCHAN = '/usr/lib/nginx/modules/ngx_nchan_module.so';

my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir;
run_or_die('gcc', '-O2', '-Wall', '-Werror', '-o', "$dir/sse",
           "$Azora::Test::ROOT/bench/sse.c");


sub ours {
    return Azora::Test->start(workers => 2,
        http => "azora_events_connections $FILES;\n"
              . "azora_events_per_account $FILES;\n",
        edit => sub {
            s/(worker_connections\s+)\d+/$1$FILES/;
            s/(worker_rlimit_nofile\s+)\d+/$1$FILES/;
        });
}


# Clients that are all let in; the rest is told by lines.
sub clients {
    my (@arguments) = @_;
    my $pid = open2(my $out, my $in, "$dir/sse", @arguments);

    $in->autoflush(1);
    (readline $out // '') eq "open\n" or die "the clients are not let in\n";
    return { pid => $pid, out => $out, in => $in };
}


# When the first and the last got what the code publishes, in microseconds
sub reached {
    my ($clients, $publish) = @_;

    print { $clients->{in} } "listen\n";
    sleep 0.02;
    $publish->();
    my ($first, $last) = readline($clients->{out}) =~ /\Agot (\d+) (\d+)$/
        or die "not all clients were reached\n";
    return ($first, $last);
}


sub leave {
    my ($clients) = @_;
    close $clients->{in};
    waitpid $clients->{pid}, 0;
}


# Processor time that processes have used so far, in milliseconds
sub cpu_ms {
    my (@pids) = @_;
    my $ticks = 0;

    for my $pid (@pids) {
        my @fields = split ' ', slurp("/proc/$pid/stat") =~ s/.*\) //sr;
        $ticks += $fields[11] + $fields[12];
    }

    return 1000 * $ticks / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}


# From the commit of the number to the last client
sub fanout {
    my $azora = ours();
    my $service = $azora->user('service', roles => ['service']);
    is_numbered($azora) or die "the log does not move\n";
    my $clients = clients($azora->{port}, $CLIENTS,
                          '/v1/events?type=test.counted', $service->{token});
    my (@last, @first, $ours, $theirs);

    for my $run (0 .. 10 * runs()) {
        ($ours, $theirs) = (cpu_ms($azora->worker_pids),
                            cpu_ms($clients->{pid})) if $run == 1;
        my ($first, $last) = reached($clients, sub {
            append($azora, $service->{id}, 1);
        });
        my $published = $azora->value(q{
            SELECT (extract(epoch FROM signed_at) * 1000000)::bigint
            FROM journal.tree});
        sleep 0.2;
        next if !$run;
        push @first, ($first - $published) / 1000;
        push @last, ($last - $published) / 1000;
    }

    $ours = (cpu_ms($azora->worker_pids) - $ours) / @last;
    $theirs = (cpu_ms($clients->{pid}) - $theirs) / @last;
    leave($clients);
    $azora->stop;

    report('sse-fanout-ms', median(@last), 100);
    printf "      %d clients, %d events: the first client %.1f, the slowest"
        . " event %.1f\n", $CLIENTS, scalar @last, median(@first),
        (sort { $a <=> $b } @last)[-1];
    printf "      processor time for each: %.0f ms of the workers, %.0f of the"
        . " clients\n", $ours, $theirs;
}


# Bytes of the processes, and of the kernel's structures.  A connection has
# both its ends in this kernel: half of it is the server's.
sub memory {
    my (@pids) = @_;
    my ($private, $kernel) = (0, 0);

    for my $pid (@pids) {
        my $status = slurp("/proc/$pid/status");
        $private += 1024 * $1 while $status =~ /^Rss(?:Anon|Shmem):\s+(\d+)/mg;
    }

    my $all = slurp('/proc/meminfo');
    $kernel += 1024 * $1 while $all =~ /^(?:Slab|Percpu):\s+(\d+)/mg;

    return ($private, $kernel / 2);
}


my %said;

# Streams per GiB of what 8,000 of them added
sub per_gib {
    my ($name, $pids, $open) = @_;

    sleep 0.5;
    my ($private, $kernel) = memory($pids->());
    my $clients = $open->();
    sleep 1;
    my ($more_private, $more_kernel) = memory($pids->());
    leave($clients);

    $private = ($more_private - $private) / $CLIENTS;
    $kernel = ($more_kernel - $kernel) / $CLIENTS;
    push @{ $said{$name} }, [$private, $kernel];

    return 2 ** 30 / ($private + $kernel);
}


sub idle_ours {
    my $azora = ours();
    my $service = $azora->user('service', roles => ['service']);
    is_numbered($azora) or die "the log does not move\n";

    my $n = per_gib('ours', sub { $azora->worker_pids }, sub {
        return clients($azora->{port}, $CLIENTS,
                       '/v1/events?type=test.counted', $service->{token});
    });
    $azora->stop;
    return $n;
}


sub start_nchan {
    my $probe = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
        or die "no free port: $!\n";
    my $port = $probe->sockport;
    close $probe;

    spew("$dir/nchan.conf", <<"END");
load_module $NCHAN;
worker_processes 2;
worker_rlimit_nofile $FILES;
pid $dir/nchan.pid;
error_log $dir/nchan.log warn;
events { worker_connections $FILES; }
http {
    access_log off;
    client_body_temp_path $dir/nchan-body;
    proxy_temp_path $dir/nchan-proxy;
    fastcgi_temp_path $dir/nchan-fastcgi;
    uwsgi_temp_path $dir/nchan-uwsgi;
    scgi_temp_path $dir/nchan-scgi;
    nchan_shared_memory_size 64m;
    server {
        listen 127.0.0.1:$port backlog=4096;
        location = /sub {
            nchan_subscriber eventsource;
            nchan_channel_id bench;
            nchan_subscriber_first_message newest;
        }
        location = /pub { nchan_publisher; nchan_channel_id bench; }
    }
}
END
    run_or_die(Azora::Test::nginx_binary(), '-c', "$dir/nchan.conf",
               '-e', "$dir/nchan.log");
    poll_until(10, sub {
        return IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
    }) or die "nchan does not start\n";
    return ($port, slurp("$dir/nchan.pid") + 0);
}


sub idle_nchan {
    my ($port, $master) = start_nchan();
    my $pids = sub { return Azora::Process::children($master) };

    my $n = per_gib('nchan', $pids, sub {
        return clients($port, $CLIENTS, '/sub');
    });
    kill QUIT => $master;
    poll_until(20, sub { !Azora::Process::alive($master) })
        or die "nchan does not end\n";
    return $n;
}


fanout();

if (-e $NCHAN) {
    compare('sse-nchan', \&idle_ours, \&idle_nchan, target => 1.0,
            note => "idle streams per GiB, $CLIENTS of them");

    for my $name (qw(ours nchan)) {
        printf "      %s: %.0f bytes of its processes and %.0f of the kernel"
            . " for each\n", $name,
            median(map { $_->[0] } @{ $said{$name} }),
            median(map { $_->[1] } @{ $said{$name} });
    }

} else {
    print "      nchan is not installed: scripts/packages bench\n";
}

1;

# Private memory of a worker, without the shared zones: idle, and while 256
# connections read from the database.

use strict;
use warnings;

use Azora::Bench;
use Azora::Process qw(slurp);
use Azora::Test;

my $azora = Azora::Test->start(workers => 1);
my $token = $azora->user('amina')->{token};

sub rss_mb {
    my ($pid) = $azora->worker_pids;
    my $status = slurp("/proc/$pid/status");
    my ($all) = $status =~ /^VmRSS:\s+(\d+)/m;
    my ($shared) = $status =~ /^RssShmem:\s+(\d+)/m;

    return ($all - $shared) / 1024;
}

report('worker-rss-mb-idle', rss_mb(), 16);

my $pid = fork // die "fork: $!\n";

if ($pid == 0) {
    wrk("http://127.0.0.1:$azora->{port}", path => '/v1/wallets/AZR',
        token => $token, connections => 256);
    require POSIX;
    POSIX::_exit(0);
}

sleep seconds() * 0.8;
my $busy = rss_mb();
waitpid $pid, 0;

report('worker-rss-mb', $busy, 24);

1;

# scripts/azora: instances side by side, their data, and what goes wrong.

use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX ();
use Test::More;

use Azora::HTTP;
use Azora::Process qw(alive children poll_until slurp spew);
use Azora::Test;

my $root = $Azora::Test::ROOT;
my $dir = tempdir('/tmp/azora-instance-XXXXXX', CLEANUP => 1);
my $patience = Azora::Test->patience;
chmod 0755, $dir;

# SANITIZE is not for these: they run what users run
delete $ENV{SANITIZE};


sub free_port {
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
        or die "no port: $!\n";
    return $socket->sockport;
}


# Status and output of a command about the instance in the data directory.
sub azora {
    my ($data, $port, $command) = @_;
    local @ENV{qw(DATA PORT WORKERS)} = ($data, $port, 1);
    my $output = `'$root/scripts/azora' $command 2>&1`;
    return ($? >> 8, $output);
}


sub get {
    my ($port, $path) = @_;
    my $r = eval {
        my $http = Azora::HTTP->connect('127.0.0.1', $port, timeout => 10);
        $http->write(Azora::HTTP::format_request('GET', $path));
        $http->read_response;
    };
    return $r ? $r->{status} : 0;
}


sub value {
    my ($data, $port, $query) = @_;
    my (undef, $output) = azora($data, $port, "psql -XAtc '$query'");
    chomp $output;
    return $output;
}


# a name with all that shells, NGINX and libpq treat specially, and longer
# than a socket's path may be
my $odd = "$dir/two words; [x] \$y 'q' " . 'long' x 25;
my %data = (plain => "$dir/plain", odd => $odd);
my %port = (plain => free_port(), odd => free_port());

END {
    azora($data{$_}, $port{$_}, 'down') for keys %data;
}


subtest 'two instances side by side' => sub {
    for my $name (sort keys %data) {
        my ($status, $output) = azora($data{$name}, $port{$name}, 'up');
        is $status, 0, "$name: up" or diag $output;
        like $output, qr{http://127\.0\.0\.1:$port{$name}/v1/courses},
            'it prints what to try';

        my ($tried) = $output =~ /"email": "([^"]+)"/;
        ok $tried && slurp("$Azora::Test::ROOT/README.md") !~ /\Q$tried\E/,
            'which leaves the people of the README to the README';
    }

    is get($port{$_}, '/readyz'), 200, "$_: ready" for sort keys %data;
    is get($port{$_}, '/v1/courses'), 200, "$_: works" for sort keys %data;

    for my $name (sort keys %data) {
        my ($status, $output) = azora($data{$name}, $port{$name},
                                      'admin boss@example.org');
        is $status, 0, "$name: admin" or diag $output;
        like $output, qr{"token": "[\w-]{43}"}, 'it prints a token';
        is value($data{$name}, $port{$name}, 'SELECT count(*)
            FROM identity.setup_link'), 1, 'of which the hash is kept';
    }

    my ($status, $output) = azora($data{plain}, $port{plain}, 'admin nobody');
    is $status, 1, 'an admin has an address' or diag $output;
    ($status, $output) = azora($data{plain}, $port{plain}, 'approve');
    is "$status$output", '0', 'nothing waits for a second admin';
    value($data{plain}, $port{plain}, q{
        SELECT status FROM ledger.propose_policy(
            ROW(gen_random_uuid(), NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                NULL)::azora.caller, $$KES$$, NULL, NULL, $$777$$, NULL,
            NULL, $$first$$)});
    (undef, $output) = azora($data{plain}, $port{plain}, 'approve');
    my ($id) = $output =~ /"id":"([0-9a-f-]{36})".*"mint_day_max":"777"/;
    ok $id, 'what was proposed is listed' or diag $output;
    ($status, $output) = azora($data{plain}, $port{plain}, "approve $id");
    is $status, 0, 'and approved on the server' or diag $output;
    is value($data{plain}, $port{plain}, q{SELECT mint_day_max
        FROM ledger.issuance_policy WHERE currency = $$KES$$}), 77_700,
        'which does it';
    ($status, $output) = azora($data{plain}, $port{plain}, "approve $id");
    isnt $status, 0, 'once';
    like $output, qr/wrong-state/, 'as it says';
    ($status) = azora($data{plain}, $port{plain}, "approve 'x;y'");
    isnt $status, 0, 'an id is one';

    ($status, $output) = azora($data{plain}, $port{plain},
                               'rotate-keys --now');
    is $status, 0, 'keys rotate' or diag $output;
    is scalar(() = glob "$data{plain}/keys/*.next.pem"), 1, 'to the next one';

    ($status, $output) = azora($data{plain}, $port{plain}, 'status');
    is $status, 0, 'status';
    like $output, qr/running at .*:$port{plain}/, 'says where';

    ($status) = azora($data{plain}, $port{plain}, 'up');
    is $status, 0, 'up again changes nothing';
    ($status, $output) = azora($data{plain}, free_port(), 'up');
    isnt $status, 0, 'the same data on another port';
    like $output, qr/already running at .*:$port{plain}/, 'are refused';
};


subtest 'only what must be open is open' => sub {
    my @secret = map { "$data{plain}/$_" } qw(keys/pepper keys/vault
        secrets/app-password secrets/postgres.conf nginx.conf);

    for my $file (@secret) {
        is sprintf('%04o', (stat $file)[2] & 07777), '0600', $file;
    }

    is value($data{plain}, $port{plain}, 'SHOW listen_addresses'), '',
        'PostgreSQL listens on no address';
    like slurp("$data{plain}/redis/redis.conf"), qr/^port 0$/m,
        'neither does Redis';
};


subtest 'down and up keep the data' => sub {
    my ($data, $port) = ($data{plain}, $port{plain});
    my $count = 'SELECT count(*) FROM learning.course';
    my $before = value($data, $port, $count);
    my $key = join ' ', glob "$data/keys/*.pem";

    is((azora($data, $port, 'down'))[0], 0, 'down');
    is get($port, '/livez'), 0, 'nothing answers';
    is((azora($data, $port, 'status'))[0], 3, 'status');
    is((azora($data, $port, 'down'))[0], 0, 'down again does no harm');

    is((azora($data, $port, 'up'))[0], 0, 'up');
    cmp_ok $before, '>', 0, 'there were courses';
    is value($data, $port, $count), $before, 'and they are there';
    is join(' ', glob "$data/keys/*.pem"), $key, 'and the same key signs';
};


subtest 'after a crash of the machine' => sub {
    my ($data, $port) = ($data{plain}, $port{plain});
    my @pids = map { slurp("$data/$_") =~ /(\d+)/ } 'run/nginx.pid',
        'redis/redis.pid', 'postgres/postmaster.pid';

    # parents first, or they replace their children
    push @pids, map { children($_) } @pids;
    kill KILL => @pids;
    ok poll_until(10 * $patience, sub { !grep { alive($_) } @pids }),
        'all is dead';

    # their numbers now belong to other processes: this test's
    spew("$data/run/nginx.pid", "$$\n");
    spew("$data/redis/redis.pid", "$$\n");

    my ($status, $output) = azora($data, $port, 'up');
    is $status, 0, 'up' or diag $output;
    is get($port, '/v1/courses'), 200, 'it works again';
};


subtest 'a port that is taken' => sub {
    my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
    my $data = "$dir/taken";
    my ($status, $output) = azora($data, $taken->sockport, 'up');

    isnt $status, 0, 'up fails';
    like $output, qr/cannot listen on 127\.0\.0\.1:\d+: Address already/,
        'and says why';
    ok !-e "$data/postgres/postmaster.pid", 'nothing was left running';

    ($status, $output) = azora($data, 'eighty', 'up');
    isnt $status, 0, 'a port that is no number';
    like $output, qr/the port must be a number/, 'is refused';
};


subtest 'in the foreground' => sub {
    my ($data, $port) = ($data{odd}, $port{odd});
    is((azora($data, $port, 'down'))[0], 0, 'down first');

    my $pid = fork;
    if ($pid == 0) {
        POSIX::setsid();
        $SIG{INT} = 'DEFAULT';
        @ENV{qw(DATA PORT WORKERS)} = ($data, $port, 1);
        open STDOUT, '>', "$dir/run.log" or POSIX::_exit(1);
        open STDERR, '>&', \*STDOUT or POSIX::_exit(1);
        exec "$root/scripts/azora", 'run' or POSIX::_exit(1);
    }

    ok poll_until(60 * $patience,
                  sub { slurp("$dir/run.log") =~ /Ctrl-C stops it/ }),
        'run is ready' or diag slurp("$dir/run.log");
    is get($port, '/livez'), 200, 'it answers';
    ok alive($pid), 'and stays in the foreground';

    my @pids = map { slurp("$data/$_") =~ /(\d+)/ } 'run/nginx.pid',
        'redis/redis.pid', 'postgres/postmaster.pid';
    is scalar(@pids), 3, 'three servers';

    kill INT => -$pid;     # to the whole group, as a terminal does
    waitpid $pid, 0;
    is $? >> 8, 0, 'Ctrl-C ends it';
    is_deeply [grep { alive($_) } @pids], [], 'and all it started';
};

done_testing;

# docker/entrypoint: what the container runs, here without a container.

use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Socket::INET;
use Test::More;

use Azora::HTTP;
use Azora::Process qw(poll_until slurp spew);
use Azora::Test;

my $root = $Azora::Test::ROOT;
my $azora = Azora::Test->start(postgres => 'own', redis => 0, ready => 0);
my $dir = tempdir('/tmp/azora-container-XXXXXX', CLEANUP => 1);
my $data = "$dir/data";
my $password = q{o"dd $p\\w'd};

# root in front of the container's user; anybody else is that user already
my @user = $> != 0 ? ()
    : ('setpriv', '--reuid', 'www-data', '--regid', 'www-data',
       '--init-groups');

chmod 0755, $dir;
mkdir $data;
chown +(getpwnam 'www-data')[2, 3], $data if $> == 0;
# the modules that users run, whatever SANITIZE says
spew("$dir/modules.conf",
     Azora::Test::module_lines() =~ s{/san/modules/}{/modules/}gr);


# Status and output of the entry point, with the variables of a hash.
sub entry {
    my ($env, @arguments) = @_;
    local @ENV{keys %$env} = values %$env;

    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;
    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec @arguments;
        exit 127;
    }

    my $text = do { local $/; <$out> };
    close $out;
    return ($? >> 8, $text);
}


delete @ENV{grep { /^AZORA_(?!TEST)/ && $_ ne 'AZORA_ROOT' } keys %ENV};
local $ENV{AZORA_DATA} = $data;

my ($status, $said) = entry({}, "$root/docker/entrypoint");
is($status, 1, 'without a database it does not start');
like($said, qr/AZORA_POSTGRES is missing/, 'and names the variable');

($status, $said) = entry({ AZORA_POSTGRES => 'host=x' },
                         "$root/docker/entrypoint");
is($status, 1, 'nor without the password');
like($said, qr/AZORA_APP_PASSWORD \(or AZORA_APP_PASSWORD_FILE\) is missing/,
     'named, too');

spew("$dir/password", "$password\n");
($status, $said) = entry({ AZORA_APP_PASSWORD_FILE => "$dir/password" },
    "$root/docker/entrypoint", 'deploy',
    "host=$azora->{postgres_sockets} dbname=azora user=postgres");
is($status, 0, 'deploy brings the database up to date') or diag $said;

($status, $said) = entry({}, "$root/docker/entrypoint", 'echo', 'something');
is($said, "something\n", 'another command is run as it stands');

my $port = do {
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
    $socket->sockport;
};

my $server = fork // die "fork: $!\n";
if ($server == 0) {
    @ENV{qw(AZORA_POSTGRES AZORA_APP_PASSWORD AZORA_MODULES AZORA_PORT
            AZORA_WORKERS)} = (
        "host=$azora->{postgres_sockets} port=5432 dbname=azora"
        . ' user=azora_app', $password, "$dir/modules.conf", $port, 1);
    open STDOUT, '>', "$dir/log";
    open STDERR, '>&', \*STDOUT;
    exec @user, "$root/docker/entrypoint" or exit 127;
}


sub request {
    my $r = eval {
        my $http = Azora::HTTP->connect('127.0.0.1', $port, timeout => 10);
        $http->write(Azora::HTTP::format_request(@_));
        $http->read_response;
    };
    return $r ? $r->{status} : 0;
}


ok(poll_until(30 * Azora::Test->patience,
              sub { request('GET', '/readyz') == 200 }),
   'it gets ready, with a password that has to be quoted twice')
    or diag slurp("$dir/log");
is(request('GET', '/v1/courses'), 200, 'and reads the database');
ok(poll_until(10, sub { slurp("$dir/log") =~ m{"/v1/courses"} }),
   'the access log comes out of it');
unlike(slurp("$dir/log"), qr/\[(?:alert|emerg)\]|\Q$password\E/,
       'with nothing alarming, and without the password');
is((stat "$data/secrets/postgres.conf")[2] & 0777, 0600,
   'the password is in a file of its owner');

kill 'QUIT', $server;
waitpid $server, 0;
is($?, 0, 'and ends well when the engine asks');

$azora->stop;
done_testing;

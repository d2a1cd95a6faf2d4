#!/usr/bin/env perl

# Event streams over TLS and HTTP/1.1, where the connection stays without its
# request: replay, live, more than the socket takes at once, a client that goes
# in the middle of it, a reload.  The client is curl.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Chronicle qw(append is_numbered);
use Azora::Process qw(alive poll_until run_or_die slurp);
use Azora::Test;
use File::Temp qw(tempdir);
use IO::Socket::INET;
use Test::More;

my $keys = tempdir(CLEANUP => 1);
chmod 0755, $keys;
run_or_die('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
           'ec_paramgen_curve:P-256', '-nodes', '-days', 2, '-subj',
           '/CN=localhost', '-keyout', "$keys/key.pem", '-out',
           "$keys/cert.pem");
my $probe = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
    or die "no free port: $!\n";
my $port = $probe->sockport;
close $probe;

my $azora = Azora::Test->start(workers => 1, server => <<"END");
listen 127.0.0.1:$port ssl;
ssl_certificate $keys/cert.pem;
ssl_certificate_key $keys/key.pem;
END

my $long = 20 * $azora->patience;
my $amina = $azora->user('amina');
my $n = 0;
ok is_numbered($azora), 'it works';

sub follow {
    my (@options) = @_;
    my $file = "$azora->{dir}/stream" . ++$n;
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        exec 'curl', '-skN', '--http1.1', '-o', $file, @options, '-H',
            "Authorization: Bearer $amina->{token}",
            "https://127.0.0.1:$port/v1/events?last_event_id=-1";
    }

    return { pid => $pid, file => $file };
}

sub numbers {
    my ($client) = @_;
    return -e $client->{file}
        ? [slurp($client->{file}) =~ /^id: (\d+)\ndata: /mg] : [];
}

sub has {
    my ($client, $count, $name) = @_;
    ok poll_until($long, sub { @{ numbers($client) } >= $count }), $name
        or diag scalar @{ numbers($client) };
}

my @clients = (follow(), follow('--limit-rate', '3000k'),
               follow('--limit-rate', '1k'));
has($clients[0], 2, 'what was');
append($azora, $amina->{id}, 400);
has($clients[0], 402, 'and what happens');

$azora->sql(q{
    SELECT journal.append_batch('test.counted', array_agg(?::uuid),
               array_agg(json_build_object('text', repeat('x', 20000))),
               array_agg(NULL::text))
    FROM generate_series(1, 300) AS i}, $amina->{id});
has($clients[0], 702, 'more than fits at once');
has($clients[1], 702, '... also for one that reads slowly');
is join(' ', @{ numbers($_) }), join(' ', 0 .. 701), '... once, in order'
    for @clients[0, 1];

kill KILL => $clients[2]{pid};
waitpid $clients[2]{pid}, 0;
append($azora, $amina->{id}, 1);
has($clients[0], 703, 'one goes, the others go on');

my ($old) = $azora->worker_pids;
kill HUP => $azora->master_pid;
ok poll_until($long, sub { !alive($old) }), 'a reload: the old worker ends';

for my $client (@clients[0, 1]) {
    waitpid $client->{pid}, 0;
    is $? >> 8, 0, '... and its streams as TLS wants it';
}

done_testing;

#!/usr/bin/perl

# Services behind Azora whose nodes are added, drained and removed while
# requests go on, and that are asked whether they are well.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until spew);
use Azora::Story qw(is_problem);
use Azora::Test;
use File::Temp ();
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $folder = File::Temp->newdir;
my (@pids, %listener);


# A service that says who it is, is ill while a file is there, and takes its
# time where it is told to.
sub serve {
    my ($socket, $port) = @_;

    $SIG{CHLD} = 'IGNORE';
    while (my $client = $socket->accept) {
        next if fork;
        close $socket;
        while (defined(my $line = <$client>)) {
            my ($path) = $line =~ /^GET (\S+)/ or last;
            1 while defined($line = <$client>) && $line =~ /\S/;
            my $status = $path eq '/health' && -e "$folder/ill.$port"
                ? '503 Ill' : '200 OK';
            sleep 1.5 if $path =~ /slow/;
            print $client "HTTP/1.1 $status\r\nContent-Length: "
                . length($port) . "\r\n\r\n$port";
            $client->flush;
        }
        POSIX::_exit(0);
    }
}


sub node {
    my ($port) = @_;
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64,
        ReuseAddr => 1, $port ? (LocalPort => $port) : ())
        or die "no port: $!\n";
    $port = $socket->sockport;

    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        serve($socket, $port);
        POSIX::_exit(0);
    }

    close $socket;
    push @pids, $pid;
    $listener{$port} = $pid;
    return $port;
}

END { kill KILL => @pids if @pids }

my ($one, $two) = (node(), node());

my $azora = Azora::Test->start(workers => 2,
                               http => <<'END', server => <<'END2');
upstream lms {
    azora_service lms allow=127.0.0.0/8 check=http:/health interval=150ms
                  timeout=1s;
    keepalive 8;
}
upstream door {
    azora_service door allow=127.0.0.0/8 check=tcp interval=150ms;
}
upstream far { azora_service far; }
END
location /lms/ {
    proxy_pass http://lms;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
}
location /door/ { proxy_pass http://door; }
location /far/ { proxy_pass http://far; }
END2

my $admin = $azora->user('amina', roles => '{admin}');
my $learner = $azora->user('baraka');


sub put {
    my ($service, $address, %json) = @_;
    return $azora->put("/v1/admin/services/$service/nodes/$address",
                       token => $admin->{token}, json => \%json);
}


sub remove {
    my ($service, $address) = @_;
    return $azora->delete("/v1/admin/services/$service/nodes/$address",
                          token => $admin->{token});
}


sub journaled {
    return $azora->value('SELECT count(*) FROM journal.entry'
                         . ' WHERE type = ?', $_[0]);
}


# Who answers how many of so many requests, each on its own connection.
sub answers {
    my ($path, $n) = @_;
    my %seen;
    $seen{ $_->{status} == 200 ? $_->{body} : $_->{status} }++
        for map { $azora->get($path) } 1 .. $n || 12;
    return \%seen;
}


sub only {
    my ($path, @who) = @_;
    return poll_until(10 * $azora->patience, sub {
        return "@{[sort keys %{ answers($path) }]}" eq "@{[sort @who]}";
    });
}


subtest 'a service without nodes' => sub {
    is_problem $azora->get('/lms/'), 502, 'bad-gateway';
    like $azora->error_log, qr/service "lms" has no nodes/, 'as the log says';
};


subtest 'nodes come' => sub {
    my $r = put('lms', "127.0.0.1:$one");
    is $r->{status}, 201, 'one';
    is $r->{json}{address}, "127.0.0.1:$one", 'at its address';
    is $r->{json}{state}, 'active', 'at work';
    is $r->{headers}{location}, "/v1/admin/services/lms/nodes/127.0.0.1:$one",
        'with an address of its own';
    ok only('/lms/', $one), 'it is asked by all workers, without a reload';
    is journaled('service.node_set'), 1, 'it is journaled';

    is put('lms', "127.0.0.1:$one")->{status}, 200, 'the same again';
    is journaled('service.node_set'), 1, 'is no change';

    is put('lms', "127.0.0.1:$two", weight => 3)->{status}, 201, 'another';
    ok only('/lms/', $one, $two), 'and both are asked';

    my $http = $azora->connect;
    my %seen;
    $seen{ $azora->get('/lms/', connection => $http)->{body} }++ for 1 .. 40;
    is_deeply \%seen, { $one => 10, $two => 30 }, 'by their weights';
};


subtest 'the list' => sub {
    my $r = $azora->get('/v1/admin/services?limit=1',
                        token => $admin->{token});
    is $r->{status}, 200, 'is a page';
    my @items = @{ $r->{json}{items} };
    $r = $azora->get("/v1/admin/services?cursor=$r->{json}{next}",
                     token => $admin->{token});
    push @items, @{ $r->{json}{items} };
    is_deeply [map { "$_->{service} $_->{address} $_->{weight}" } @items],
        [sort "lms 127.0.0.1:$one 1", "lms 127.0.0.1:$two 3"], 'of nodes';
};


subtest 'who may, and what' => sub {
    my $path = "/v1/admin/services/lms/nodes/127.0.0.1:$one";

    is_problem $azora->put($path, json => {}), 401, 'authentication-required';
    is_problem $azora->put($path, json => {}, token => $learner->{token}),
        403, 'insufficient-scope';
    is_problem $azora->delete($path, token => $learner->{token}), 403,
        'insufficient-scope';
    is_problem $azora->get('/v1/admin/edge', token => $learner->{token}), 403,
        'insufficient-scope';

    for my $address ('localhost:80', '10.0.0.1:0', '10.0.0.1:65536',
                     '10.0.0.256:80', '[fd00::g]:80',
                     'fd00::1:8000', '10.0.0.1:080')
    {
        is_problem put('lms', $address), 422, 'validation-failed',
            '{address}';
    }

    is put('nobody', '[FD00:0::1]:80')->{json}{address}, '[fd00::1]:80',
        'an address has one spelling';
    is remove('nobody', '[fd00:0:0::1]:80')->{status}, 204, 'by any other';
    is_problem remove('lms', '10.0.0.1:80'), 404, 'not-found';

    put('far', "127.0.0.1:$one");
    ok $azora->wait_log(qr/service "far" may not be at 127\.0\.0\.1/),
        'this machine is not a node unless it is allowed to';
    is $azora->get('/far/')->{status}, 502, 'and is not asked';
};


subtest 'a node that is drained' => sub {
    my @slow = map { $azora->connect } 1 .. 8;

    $_->write(Azora::HTTP::format_request('GET', '/lms/slow')) for @slow;
    sleep 0.3;
    is put('lms', "127.0.0.1:$two", state => 'draining')->{json}{weight}, 3,
        'keeps the rest';
    ok only('/lms/', $one), 'gets no more requests';

    my %seen;
    $seen{ $_->read_response->{body} }++ for @slow;
    cmp_ok $seen{$two} || 0, '>=', 2, 'and ends those it has';
    is +($seen{$one} || 0) + ($seen{$two} || 0), 8, 'nobody loses an answer';
    is journaled('service.node_set'), 5, 'it is journaled';

    put('lms', "127.0.0.1:$two", state => 'active', weight => 1);
    ok only('/lms/', $one, $two), 'it can come back';
};


sub edge {
    my ($service, $port) = @_;
    my $r = $azora->get('/v1/admin/edge', token => $admin->{token});
    my ($found) = grep { $_->{service} eq $service } @{ $r->{json}{services} };
    my ($node) = grep { $_->{address} =~ /:$port$/ } @{ $found->{nodes} };
    return $node;
}


subtest 'a node that is ill' => sub {
    spew("$folder/ill.$two", '');
    ok only('/lms/', $one), 'is asked no more';
    ok poll_until(5, sub { edge('lms', $two)->{health} eq 'not well' }),
        'and shown so';
    is edge('lms', $one)->{health}, 'well', 'the other one is well';
    unlink "$folder/ill.$two";
    ok only('/lms/', $one, $two), 'until it is well';
    ok $azora->wait_log(qr/service "lms" at 127.0.0.1:$two is well again/),
        'as the log says';
};


subtest 'a node that dies' => sub {
    put('door', "127.0.0.1:$one");
    put('door', "127.0.0.1:$two");
    ok only('/door/', $one, $two), 'two';

    kill KILL => $listener{$two};
    waitpid $listener{$two}, 0;
    is_deeply [keys %{ answers('/door/', 30) }], [$one],
        'its requests go to the other one';
    ok poll_until(10 * $azora->patience, sub {
        edge('door', $two)->{health} eq 'not well' }), 'it is found out';

    node($two);
    ok only('/door/', $one, $two), 'and found again';
};


subtest 'reload' => sub {
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        my $bad = 0;
        my $end = time + 3;
        while (time < $end) {
            my $r = eval { $azora->get('/lms/') };
            $bad++ if !$r || $r->{status} != 200;
        }
        POSIX::_exit($bad > 100 ? 100 : $bad);
    }

    $azora->reload;
    waitpid $pid, 0;
    is $? >> 8, 0, 'the new workers know the nodes before they serve';
};


subtest 'a node that is removed' => sub {
    is remove('lms', "127.0.0.1:$two")->{status}, 204, 'goes';
    ok only('/lms/', $one), 'and is asked no more';
    is journaled('service.node_removed'), 2, 'it is journaled';
    is_problem remove('lms', "127.0.0.1:$two"), 404, 'not-found';
    ok !edge('lms', $two), 'nor shown';
};


subtest 'the edge' => sub {
    $azora->get('/v1/courses');
    my $r = $azora->get('/v1/admin/edge', token => $admin->{token});

    is $r->{status}, 200, 'is shown to administrators';
    is_deeply $r->{json}{breakers}, {
        postgres => 'closed', redis => 'closed', 'redis-cache' => 'closed',
    }, 'breakers';
    cmp_ok $r->{json}{cache}{entries}, '>=', 1, 'the cache';
    cmp_ok $r->{json}{cache}{bytes}, '<', $r->{json}{cache}{size},
        'and its size';
    is_deeply [map { $_->{service} } @{ $r->{json}{services} }],
        [qw(lms door far)], 'services';
    my ($zone) = grep { $_->{zone} eq 'user' } @{ $r->{json}{limits} };
    cmp_ok $zone->{size}, '>', 1000, 'limits';
};


subtest 'the registry is bounded' => sub {
    $azora->sql("INSERT INTO azora.service_node (service, address)
                 SELECT 'many', '10.0.0.' || n || ':80'
                 FROM generate_series(1, 251) AS n");
    is put('more', '10.1.0.1:80')->{status}, 201, 'the last one';
    is_problem put('more', '10.1.0.2:80'), 409, 'registry-full';
    is put('more', '10.1.0.1:80', weight => 9)->{status}, 200,
        'what is there can be changed';
};


done_testing;

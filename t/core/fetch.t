#!/usr/bin/perl

# Outgoing calls: answers, bounds, TLS, addresses that are not to be called,
# and what becomes of a call when its asker or its worker leaves.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::HTTP;
use Azora::Probe qw(together);
use Azora::Process qw(alive poll_until slurp spew);
use Azora::Server;
use Azora::Test;
use Azora::Unit;
use File::Temp qw(tempdir);
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir;

my $server = Azora::Server->start(sub {
    my ($request, $socket) = @_;
    my ($what, $n) = $request->{path} =~ m{^/(\w+)/?(\d*)};

    if ($what eq 'say') {
        return Azora::Server::answer(200, "I heard $request->{body}",
                                     'X-Answer' => ' loud and clear ');
    }
    return Azora::Server::answer($n, 'so it is') if $what eq 'status';
    return Azora::Server::answer(302, 'there', Location =>
        'http://127.0.0.1:' . $socket->sockport . '/say') if $what eq 'moved';
    return Azora::Server::answer(200, 'x' x $n) if $what eq 'big';
    return Azora::Server::answer(200, 'y', map { ("X-$_" => 'z' x 1000) }
                                 1 .. 30) if $what eq 'head';
    return "HTTP/1.1 103 Early\r\nX-Answer: early\r\n\r\n"
        . Azora::Server::answer(200, 'late', 'X-Answer' => 'late')
        if $what eq 'early';
    return "gibberish\r\n\r\n" if $what eq 'gibberish';

    if ($what eq 'cut') {
        print {$socket} "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
        return;
    }

    if ($what eq 'wait') {
        sleep $n / 1000;
        return Azora::Server::answer(200, 'at last');
    }

    if ($what eq 'drip') {
        print {$socket} "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
        for (1 .. 100) {
            print {$socket} 'd';
            sleep 0.1;
        }
    }

    return;
});

certificates();
my $lookup = slow_lookup();

my $tls = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
my $tls_port = $tls->sockport;
my $wrong = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
my $wrong_port = $wrong->sockport;
close $_ for $tls, $wrong;

my $so = Azora::Unit->new->build("$Azora::Test::ROOT/t/core/fetch.c")
    or die "t/core/fetch.c does not compile\n";

my $azora = Azora::Test->start(
    workers => 1, redis => 0, ready => 0, main => "load_module $so;\n",
    env => { $lookup ? (LD_PRELOAD => $lookup) : (), http_proxy => 'http://127.0.0.1:9', ALL_PROXY =>
             'http://127.0.0.1:9', HTTPS_PROXY => 'http://127.0.0.1:9' },
    http => <<"CONF");
azora_fetch connections=4 queue=8;
azora_fetch_allow 127.0.0.1;
azora_fetch_trusted_certificate $dir/ca.pem;
server {
    listen 127.0.0.1:$tls_port ssl;
    ssl_certificate $dir/good.pem;
    ssl_certificate_key $dir/good.key;
    return 200 "over \$ssl_protocol";
}
server {
    listen 127.0.0.1:$wrong_port ssl;
    ssl_certificate $dir/strange.pem;
    ssl_certificate_key $dir/strange.key;
    return 200 "stolen";
}
CONF

poll_until(20 * $azora->patience, sub {
    eval { $azora->get('/livez', timeout => 2)->{status} == 200 };
}) or die $azora->error_log;


# A CA, a certificate of it, and one of another CA with the same name.
sub certificates {
    spew("$dir/extensions", "subjectAltName=DNS:localhost,IP:127.0.0.1\n");

    for my $ca ('ca', 'other') {
        Azora::Process::run_to_file("$dir/log", $dir, qw(openssl req -x509
            -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2
            -subj /CN=Test), '-keyout', "$dir/$ca.key", '-out', "$dir/$ca.pem")
            == 0 or die slurp("$dir/log");
    }

    for (['good', 'ca'], ['strange', 'other']) {
        my ($name, $ca) = @$_;
        Azora::Process::run_to_file("$dir/log", $dir, qw(openssl req -newkey
            ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost),
            '-keyout', "$dir/$name.key", '-out', "$dir/$name.csr") == 0
            or die slurp("$dir/log");
        Azora::Process::run_to_file("$dir/log", $dir, qw(openssl x509 -req
            -days 2 -CAcreateserial -extfile), "$dir/extensions", '-in',
            "$dir/$name.csr", '-CA', "$dir/$ca.pem", '-CAkey', "$dir/$ca.key",
            '-out', "$dir/$name.pem") == 0 or die slurp("$dir/log");
    }
}


# A library whose name server takes three seconds to know slow.test, and knows
# two addresses of two.test.
sub slow_lookup {
    return if $ENV{SANITIZE};

    spew("$dir/lookup.c", <<'C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    int (*real)(const char *, const char *, const struct addrinfo *,
                struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");

    if (node && strcmp(node, "slow.test") == 0) {
        sleep(3);
        node = "127.0.0.1";
    }

    if (node && strcmp(node, "two.test") == 0) {
        int rc = real("127.0.0.2", service, hints, res);

        return rc ? rc : real("127.0.0.1", service, hints, &(*res)->ai_next);
    }

    return real(node, service, hints, res);
}
C
    Azora::Process::run_to_file("$dir/log", $dir, qw(gcc -shared -fPIC -o),
        "$dir/lookup.so", "$dir/lookup.c", '-ldl') == 0
        or die slurp("$dir/log");
    return "$dir/lookup.so";
}


sub call {
    my ($url, %more) = @_;
    my $r = $azora->post('/call/fetch', json => { url => $url, %more });
    return $r->{json} || { status => $r->{status} };
}


subtest 'answers' => sub {
    my $r = call($server->url('/say'), method => 'POST', body => 'hello',
                 header => 'X-More: of it');
    is $r->{status}, 'answered', 'an answer';
    is $r->{code}, 200, 'its status';
    is $r->{body}, 'I heard hello', 'its body';
    is $r->{header}, 'loud and clear', 'its header';
    is $r->{reason}, '', 'and nothing to complain about';

    my ($request) = $server->requests('/say');
    is $request->{method}, 'POST', 'the method came';
    is $request->{headers}{'x-probe'}, 'yes', 'the headers came';
    is $request->{headers}{'x-more'}, 'of it', 'all of them';
    is $request->{headers}{'content-length'}, 5, 'with a length';
    ok !exists $request->{headers}{expect}, 'without asking whether it may';
    like $request->{headers}{'user-agent'}, qr{^Azora/}, 'we say who we are';

    $r = call($server->url('/say/2'));
    is +($server->requests('/say/2'))[0]{method}, 'GET', 'GET by default';
    is call($server->url('/say/3'), method => 'DELETE')->{code}, 200,
        'a method without a body';
    is +($server->requests('/say/3'))[0]{method}, 'DELETE', 'is sent as it is';

    is call($server->url('/status/503'))->{code}, 503,
        'an error is an answer';
    $r = call($server->url('/early'));
    is "$r->{header} $r->{body}", 'late late', 'a provisional one is not';
};


subtest 'what may not be asked' => sub {
    for my $url ('', 'ftp://127.0.0.1/', 'file:///etc/passwd', 'gopher://a/',
                 'http://', "http://127.0.0.1/a b",
                 "http://127.0.0.1/\tHost", 'http://user:pw@127.0.0.1/',
                 'http://127.0.0.1/' . 'x' x 9000)
    {
        is call($url)->{status}, 'invalid', 'no: ' . substr $url, 0, 40;
    }

    for my $header ("X-A: b\nX-C: d") {
        is call($server->url('/say/9'), header => $header)->{status},
            'invalid', 'no header within a header';
    }
    is call($server->url('/say/9'), method => 'GET /x')->{status}, 'invalid',
        'no path within a method';
    is $server->requests('/say/9'), 0, 'and nothing was sent';
};


subtest 'redirects are answers' => sub {
    my $before = $server->requests('/say');
    my $r = call($server->url('/moved'));
    is $r->{code}, 302, 'the answer is the redirect';
    is $server->requests('/say'), $before, 'which nobody followed';
};


subtest 'bounds' => sub {
    is length call($server->url('/big/100000'), max => 100000)->{body}, 100000,
        'as much as is allowed';
    is call($server->url('/big/100001'), max => 100000)->{status},
        'too_large', 'and no byte more';
    is call($server->url('/big/70000'))->{status}, 'too_large',
        '64 kB unless said otherwise';
    is call($server->url('/head'))->{status}, 'too_large', 'nor in the head';
    is call($server->url('/cut'))->{status}, 'broken', 'half an answer';
    is call($server->url('/gibberish'))->{status}, 'broken', 'is no answer';

    my $began = time;
    is call($server->url('/wait/20000'), timeout => 300)->{status}, 'timeout',
        'an answer that does not come';
    is call($server->url('/drip'), timeout => 500)->{status}, 'timeout',
        'or does not end';
    cmp_ok time - $began, '<', 5 * $azora->patience, 'is not waited for';

    my $closed = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
    my $port = $closed->sockport;
    close $closed;
    is call("http://127.0.0.1:$port/")->{status}, 'unreachable',
        'nobody there';
    is call('http://no-such-name.invalid/')->{status}, 'unresolved',
        'nobody of that name';
};


subtest 'a slow lookup' => sub {
    plan skip_all => 'sanitizers want to be loaded first' if !$lookup;
    my $url = "http://slow.test:$server->{port}/say";
    my ($slowest, $began) = (0, time);
    my $http = $azora->connect;
    $http->write(Azora::HTTP::format_request('POST', '/call/fetch',
        json => { url => $url, timeout => 20000 }));

    is call($url, timeout => 500)->{status}, 'timeout', 'is given up';
    cmp_ok time - $began, '<', 2.9, 'and not waited for';

    while (time - $began < 2) {
        my $asked = time;
        $azora->get('/livez');
        $slowest = time - $asked if time - $asked > $slowest;
    }

    cmp_ok $slowest, '<', 2, 'it holds up nobody';
    is $http->read_response->{json}{code}, 200, 'who waits has his answer';
    cmp_ok time - $began, '>=', 3, 'in the end';
};


# The second socket may get the number of the first, which libcurl closes
# without a word when its connection never came about.
subtest 'an address that does not answer' => sub {
    plan skip_all => 'sanitizers want to be loaded first' if !$lookup;
    my $mark = $azora->mark;
    my $deaf = IO::Socket::INET->new(LocalAddr => '127.0.0.2', Listen => 1,
        LocalPort => $server->{port}) or die "127.0.0.2: $!";
    listen $deaf, 0 or die "listen: $!";
    my @full = map {
        IO::Socket::INET->new(PeerAddr => '127.0.0.2', Blocking => 0,
                              PeerPort => $server->{port})
    } 1 .. 4;

    for (1 .. 3) {
        my $r = call("http://two.test:$server->{port}/say", internal => 1,
                     timeout => 6000);
        is $r->{code}, 200, 'the next one does' or diag explain $r;
    }
    unlike $azora->error_log($mark), qr{epoll_ctl},
        'no socket is lost sight of';
};


subtest 'TLS' => sub {
    my $r = call("https://127.0.0.1:$tls_port/");
    is $r->{status}, 'answered', 'a trusted certificate' or diag explain $r;
    like $r->{body}, qr/^over TLSv1\.[23]$/, 'a modern TLS';
    is call("https://127.0.0.1:$wrong_port/")->{status}, 'tls',
        'a certificate of somebody else';
    is call("https://127.0.0.2:$tls_port/", internal => 1)->{status},
        'unreachable', 'nobody there';
    is call("https://127.1:$tls_port/")->{status}, 'answered',
        'another way to write the name';
    is call("https://ip6-localhost.localdomain.invalid:$tls_port/")->{status},
        'unresolved', 'no such name';
    is call('https://127.0.0.1:' . $server->{port} . '/say')->{status}, 'tls',
        'a server without TLS';
};


subtest 'addresses' => sub {
    my $port = $server->{port};

    # a name that resolves to what may not be called, too
    for my $host (qw(127.0.0.2 0.0.0.0 10.0.0.1 172.16.0.1 172.31.255.255
                     192.168.1.1 169.254.169.254 100.64.0.1 100.127.0.1
                     192.0.0.8 198.18.0.1 198.19.255.255 224.0.0.1 240.0.0.1
                     255.255.255.255 2130706434 0x7f.2 017700000002
                     [::1] [::] [::ffff:10.0.0.1] [::ffff:7f00:2] [fe80::1]
                     [fc00::1] [fd12::1] [ff02::1] [2001:db8::1]
                     [64:ff9b::a00:1] [64:ff9b:1::1] [2002:a00:1::1]
                     [2001::1] [fec0::1]))
    {
        is call("http://$host:$port/say/7", timeout => 5000)->{status},
            'forbidden', "not to $host";
    }
    is $server->requests('/say/7'), 0, 'nobody was called';

    is call("http://127.0.0.1:$port/say/8")->{status}, 'answered',
        'what azora_fetch_allow names may be called';
    is call("http://[::ffff:127.0.0.1]:$port/say/8")->{status}, 'answered',
        'also by another name of it';

    # the server listens on 127.0.0.1 only, so this one gets no further
    is call("http://127.0.0.2:$port/", internal => 1)->{status},
        'unreachable', 'the operator may call anybody';
};


subtest 'many at once' => sub {
    my @answers = together($azora, map {
        ['POST', '/call/fetch', json => {
            url => $server->url("/wait/400?$_"), timeout => 20000 }]
    } 1 .. 12);

    is 12, (grep { ($_->{json}{body} || '') eq 'at last' } @answers),
        'four run, eight wait, all are answered';
    my @at = sort { $a <=> $b } map { $_->{at} }
             grep { $_->{path} =~ m{^/wait/400} } $server->requests;
    is 0, (grep { $at[$_ + 4] < $at[$_] + 0.4 } 0 .. $#at - 4),
        'never more than four at a time';

    my @connections = map { $azora->connect } 1 .. 12;
    $_->write(Azora::HTTP::format_request('POST', '/call/fetch', json => {
        url => $server->url('/wait/20000'), timeout => 60000 }))
        for @connections;
    my $r;
    ok poll_until(10 * $azora->patience, sub {
        $r = $azora->post('/call/fetch', json => {
            url => $server->url('/wait/1'), timeout => 100 });
        return $r->{status} == 503;
    }), 'more than the queue holds are refused';
    $_->close for @connections;
    ok poll_until(10 * $azora->patience, sub {
        (call($server->url('/wait/1'))->{body} || '') eq 'at last';
    }), 'until there is room again';

    @answers = together($azora, map {
        ['POST', '/call/fetch', json => {
            url => $server->url("/wait/20000?$_"), timeout => 500 }]
    } 1 .. 8);
    is 8, (grep { ($_->{json}{status} || '') eq 'timeout' } @answers),
        'those that wait for their turn have the same deadline';
};


subtest 'askers who leave' => sub {
    my $mark = $azora->mark;

    for (1 .. 6) {
        my $http = $azora->connect;
        $http->write(Azora::HTTP::format_request('POST', '/call/fetch',
            json => { url => $server->url('/wait/20000'), timeout => 60000 }));
        poll_until(5, sub { $azora->get('/livez')->{status} == 200 });
        sleep 0.05;
        $http->close;
    }
    ok poll_until(10 * $azora->patience, sub {
        6 == (() = $azora->error_log($mark) =~ /probe: cancelled/g);
    }), 'their calls are given up';
    is call($server->url('/say'))->{code}, 200, 'and their places are free';
};


subtest 'mail' => sub {
    my $smtp = Azora::Server->start(\&smtp, lines => 1);
    my %mail = (url => "smtp://127.0.0.1:$smtp->{port}/azora.test", plain => 1,
                from => 'azora@example.org', to => 'amina@example.org',
                message => "Subject: Hello\r\n\r\nOne\r\n.\r\nTwo\r\n");
    my $r = $azora->post('/call/mail', json => \%mail)->{json};
    is $r->{status}, 'answered', 'the server took it' or diag explain $r;

    my ($got) = $smtp->requests;
    is $got->{from}, '<azora@example.org>', 'who sends it';
    is "@{ $got->{to} }", '<amina@example.org> <archive@example.org>', 'to all';
    is $got->{message}, "Subject: Hello\r\n\r\nOne\r\n..\r\nTwo\r\n",
        'a line with a dot alone does not end it';

    $r = $azora->post('/call/mail',
                      json => { %mail, to => 'nobody@example.org' })->{json};
    is "$r->{status} $r->{code}", 'rejected 550', 'nobody of that name';

    delete $mail{plain};
    is $azora->post('/call/mail', json => \%mail)->{json}{status}, 'tls',
        'never without TLS unless that is wanted';
    is $azora->post('/call/mail', json => { %mail, plain => 1, to =>
        "a\@b>\r\nRCPT TO:<c" })->{json}{status}, 'invalid',
        'no command within an address';
    is $azora->post('/call/mail', json => { %mail, plain => 1,
        url => "http://127.0.0.1:$smtp->{port}/" })->{json}{status}, 'invalid',
        'not over HTTP';
};


# Takes one mail; nobody@ is refused.
sub smtp {
    my ($self, $socket) = @_;
    my %mail = (to => [], path => 'mail');

    print {$socket} "220 test\r\n";
    while (my $line = <$socket>) {
        if ($line =~ /^EHLO|^HELO|^RSET|^NOOP/) {
            print {$socket} "250 fine\r\n";

        } elsif ($line =~ /^MAIL FROM:(\S+)/) {
            $mail{from} = $1;
            print {$socket} "250 fine\r\n";

        } elsif ($line =~ /^RCPT TO:(\S+)/) {
            push @{ $mail{to} }, $1;
            print {$socket} $1 =~ /nobody/ ? "550 who?\r\n" : "250 fine\r\n";

        } elsif ($line =~ /^DATA/) {
            print {$socket} "354 go on\r\n";
            $mail{message} = '';
            while (defined($line = <$socket>) && $line ne ".\r\n") {
                $mail{message} .= $line;
            }
            $self->note(\%mail);
            print {$socket} "250 taken\r\n";

        } else {
            print {$socket} "221 bye\r\n";
            last;
        }
    }
}


subtest 'counted' => sub {
    my $metrics = $azora->get('/metrics')->{body};
    for my $outcome (qw(answered invalid forbidden unresolved unreachable tls
                        timeout too_large broken rejected))
    {
        like $metrics, qr/^azora_fetch_total\{outcome="$outcome"\} [1-9]/m,
            $outcome;
    }
};


subtest 'names of private addresses' => sub {
    my $url = "http://localhost:$server->{port}/say";

    is call($url)->{status}, 'answered', 'localhost is allowed';
    $azora->{opts}{http} =~ s/azora_fetch_allow [^;]+;//;
    $azora->write_configuration;
    $azora->reload;
    is call($url)->{status}, 'forbidden',
        'and is not without azora_fetch_allow';
    is call($url, internal => 1)->{status}, 'answered',
        'unless the configuration names it';
    is call($url)->{status}, 'forbidden',
        'and the connection of that call is for no other';
};


subtest 'reload and shutdown' => sub {
    my @old = $azora->worker_pids;
    my $http = $azora->connect;
    $http->write(Azora::HTTP::format_request('POST', '/call/fetch',
        json => { url => $server->url('/wait/1500'), internal => 1,
                  timeout => 20000 }));
    ok poll_until(5 * $azora->patience, sub {
        $server->requests('/wait/1500') == 1;
    }), 'a call is under way';

    kill HUP => $azora->master_pid;
    ok poll_until(20 * $azora->patience, sub {
        grep { $_ != $old[0] } $azora->worker_pids;
    }), 'a new worker';
    is $http->read_response->{json}{body}, 'at last',
        'the old one ends what it began';
    ok poll_until(20 * $azora->patience, sub { !alive($old[0]) }),
        'and then itself, although connections are kept for later';

    my $mark = $azora->mark;
    my ($pid) = $azora->worker_pids;
    $http = $azora->connect;
    $http->write(Azora::HTTP::format_request('POST', '/call/fetch',
        json => { url => $server->url('/wait/20001'), internal => 1,
                  timeout => 60000 }));
    poll_until(5 * $azora->patience, sub {
        $server->requests('/wait/20001') == 1;
    });
    kill TERM => $pid;
    ok poll_until(20 * $azora->patience, sub { !alive($pid) }),
        'a worker that has to end now';
    ok $azora->wait_log(qr/probe: ended/, $mark),
        'tells those who wait for an answer';
};


done_testing;

END { unlink $so if $so }

package Azora::Server;

# A server for what Azora calls: each connection gets a process, each request
# is noted, and a sub says what happens then.  It answers with raw bytes, so
# it can also answer wrongly, slowly or not at all.
#
#     my $server = Azora::Server->start(sub {
#         my ($request, $socket) = @_;         # {method path headers body}
#         return Azora::Server::answer(200, 'fine', 'X-A' => 1);
#     });
#     $server->url('/hook'); $server->requests; $server->stop;

use strict;
use warnings;

use Azora::HTTP;
use Azora::Process qw(slurp);
use Fcntl qw(:flock);
use File::Temp ();
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(time);

my $OWNER = $$;
my @Running;


# Options: greeting => bytes sent first; lines => 1: the sub gets the socket
# at once, for protocols that are not HTTP.
sub start {
    my ($class, $handler, %options) = @_;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 256)
        or die "no free port: $!\n";
    my $self = bless {
        port => $options{port} || $listen->sockport,
        notes => File::Temp->new, handler => $handler, %options,
    }, $class;

    my $pid = fork;
    die "fork: $!\n" if !defined $pid;

    if ($pid == 0) {
        setpgrp;
        local $SIG{CHLD} = 'IGNORE';
        $self->_serve($listen);
        POSIX::_exit(0);
    }

    $self->{pid} = $pid;
    push @Running, $self;
    return $self;
}


sub url { return "http://127.0.0.1:$_[0]{port}$_[1]" }


# What came so far: {method, path, headers, body, at}
sub requests {
    my ($self, $path) = @_;
    my @all = map { $Azora::HTTP::JSON->decode($_) }
              split /\n/, slurp($self->{notes}->filename);
    return defined $path ? grep { $_->{path} eq $path } @all : @all;
}


sub stop {
    my ($self) = @_;
    return if !$self->{pid};
    kill KILL => -$self->{pid}, $self->{pid};
    waitpid $self->{pid}, 0;
    delete $self->{pid};
}


sub answer {
    my ($status, $body, @headers) = @_;
    my $lines = '';
    while (my ($name, $value) = splice @headers, 0, 2) {
        $lines .= "$name: $value\r\n";
    }
    return "HTTP/1.1 $status Status\r\n${lines}Content-Length: "
        . length($body) . "\r\n\r\n$body";
}


sub _serve {
    my ($self, $listen) = @_;

    while (1) {
        my $socket = $listen->accept or next;
        my $pid = fork;
        next if $pid || !defined $pid;

        close $listen;
        $socket->autoflush(1);
        if ($self->{lines}) {
            $self->{handler}->($self, $socket);

        } else {
            while (my $request = _read($socket)) {
                $self->note($request);
                my $bytes = $self->{handler}->($request, $socket);
                last if !defined $bytes;
                print {$socket} $bytes;
            }
        }
        POSIX::_exit(0);
    }
}


sub note {
    my ($self, $request) = @_;
    open my $file, '>>', $self->{notes}->filename or return;
    flock $file, LOCK_EX;
    syswrite $file,
        $Azora::HTTP::JSON->encode({ %$request, at => time }) . "\n";
    close $file;
}


sub _read {
    my ($socket) = @_;
    my $line = <$socket>;
    return if !defined $line || $line !~ /^(\S+) (\S+) HTTP/;

    my $request = { method => $1, path => $2, headers => {}, body => '' };
    while (defined($line = <$socket>) && $line =~ /^([^:]+):\s*(.*?)\r?\n/) {
        $request->{headers}{lc $1} = $2;
    }
    my $length = $request->{headers}{'content-length'};
    read $socket, $request->{body}, $length if $length;
    return $request;
}


END {
    if ($$ == $OWNER) {
        local $?;
        $_->stop for @Running;
    }
}


1;

package Azora::Upstream;

# A service behind the gateway that answers what it was sent, and does so
# badly on demand:
#
#     my $lms = Azora::Upstream->start;
#     $lms->mode('reset');        # see modes below
#     ... "server 127.0.0.1:$lms->{port};" ...
#     my @seen = $lms->requests;  # { method, path, headers, body } of each
#
# It is one process with one loop, so hundreds of clients cost little.

use strict;
use warnings;

use Azora::HTTP;
use Azora::Process qw(slurp spew);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

# mode => what happens to a request
my %MODES = (
    ok      => \&_answer,                            # at once
    late    => sub { _later(0.3, \&_answer, @_) },   # after 0.3 s
    silent  => sub { },                              # never
    cut     => sub { _close($_[0]) },                # closed without a word
    reset   => sub { _reset($_[0]) },                # the same, with a RST
    half    => sub { _send($_[0], "HTTP/1.1 200 O"); _close($_[0]) },
    body    => sub { _send($_[0], _head(200, 1000) . 'x' x 10); _close($_[0]) },
    slow    => sub { _drip($_[0], _head(200, 20), 20) },   # 4 s of body
    drip    => sub { _drip($_[0], "HTTP/1.1 200 O", 20) }, # of its header
    long    => sub { _send($_[0], _head(200, 0, 'X-Long: ' . 'x' x 9000)) },
    fail    => sub { _send($_[0], _head(503, 4) . "busy") },
    missing => sub { _send($_[0], _head(404, 4) . "none") },
    garbage => sub { _send($_[0], "\0\1\2 nonsense\r\n\r\n"); _close($_[0]) },
);

my (%Clients, @Timers);


sub start {
    my ($class, %opts) = @_;
    my $self = bless { dir => tempdir(CLEANUP => 1), owner => $$ }, $class;
    my $listen = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $opts{port} || 0,
        Listen => 1024, ReuseAddr => 1) or die "no port: $!\n";

    $self->{port} = $listen->sockport;
    $self->mode($opts{mode} || 'ok');
    spew("$self->{dir}/log", '');

    $self->{pid} = fork // die "fork: $!\n";
    if ($self->{pid} == 0) {
        $SIG{PIPE} = 'IGNORE';
        eval { _serve($self, $listen) };
        POSIX::_exit(0);
    }

    close $listen;
    return $self;
}


sub mode {
    my ($self, $mode) = @_;
    die "no mode is called $mode\n" if !$MODES{$mode};
    spew("$self->{dir}/mode.new", $mode);
    rename "$self->{dir}/mode.new", "$self->{dir}/mode" or die "$!\n";
}


sub requests {
    my ($self) = @_;
    return map { $Azora::HTTP::JSON->decode($_) }
           split /\n/, slurp("$self->{dir}/log");
}


sub count {
    my ($self) = @_;
    return slurp("$self->{dir}/log") =~ tr/\n//;
}


sub stop {
    my ($self) = @_;
    return if !$self->{pid};
    kill KILL => $self->{pid};
    waitpid $self->{pid}, 0;
    delete $self->{pid};
}


sub DESTROY {
    my ($self) = @_;
    local $?;
    $self->stop if $self->{owner} == $$;
}


sub _serve {
    my ($self, $listen) = @_;
    my $select = IO::Select->new($listen);

    open my $log, '>>', "$self->{dir}/log" or die "$!\n";
    $log->autoflush(1);

    while (getppid == $self->{owner}) {
        for my $socket ($select->can_read(@Timers ? 0.01 : 0.2)) {
            if ($socket == $listen) {
                my $client = $listen->accept or next;
                $client->autoflush(1);
                $select->add($client);
                $Clients{$client} = { socket => $client, in => '',
                                      select => $select };
                next;
            }

            my $c = $Clients{$socket} or next;
            my $n = sysread $socket, $c->{in}, 65536, length $c->{in};
            if (!$n) {
                _close($c);
                next;
            }
            _requests($self, $c, $log);
        }

        my $now = time;
        my @due = grep { $_->{at} <= $now } @Timers;
        @Timers = grep { $_->{at} > $now } @Timers;
        $_->{run}->() for @due;
    }
}


sub _requests {
    my ($self, $c, $log) = @_;

    while ($c->{in} =~ /\A(\S+) (\S+) HTTP\/1\.[01]\r\n(.*?)\r\n\r\n/s) {
        my ($head, $method, $path, $lines) = ($+[0], $1, $2, $3);
        my %headers;

        for (split /\r\n/, $lines) {
            my ($name, $value) = split /:\s*/, $_, 2;
            push @{ $headers{lc $name} }, $value;
        }

        my $length = ($headers{'content-length'} || [0])->[0];
        last if length $c->{in} < $head + $length;
        my $body = substr $c->{in}, $head, $length;
        substr $c->{in}, 0, $head + $length, '';

        $c->{seen} = $Azora::HTTP::JSON->encode(
            { method => $method, path => $path, headers => \%headers,
              body => $body });
        print $log "$c->{seen}\n";

        # a path may ask for a mode of its own
        my $mode = $path =~ m{/mode/(\w+)} && $MODES{$1} ? $1
            : slurp("$self->{dir}/mode");
        $MODES{$mode}->($c);
        last if !$c->{socket};
    }
}


sub _head {
    my ($status, $length, @more) = @_;
    return join "\r\n", "HTTP/1.1 $status Status",
        'Content-Type: application/json', "Content-Length: $length", @more,
        '', '';
}


sub _answer {
    my ($c) = @_;
    _send($c, _head(200, length $c->{seen}) . $c->{seen});
}


sub _send {
    my ($c, $bytes) = @_;
    syswrite $c->{socket}, $bytes if $c->{socket};
}


sub _later {
    my ($seconds, $run, $c) = @_;
    push @Timers, { at => time + $seconds, run => sub {
        $run->($c) if $c->{socket};
    } };
}


sub _drip {
    my ($c, $bytes, $left) = @_;
    _send($c, $bytes);
    _later(0.2, sub { _drip($c, 'x', $left - 1) }, $c) if $left > 0;
}


sub _close {
    my ($c) = @_;
    my $socket = delete $c->{socket} or return;
    $c->{select}->remove($socket);
    delete $Clients{$socket};
    close $socket;
}


sub _reset {
    my ($c) = @_;
    setsockopt $c->{socket}, SOL_SOCKET, SO_LINGER, pack 'II', 1, 0;
    _close($c);
}


1;

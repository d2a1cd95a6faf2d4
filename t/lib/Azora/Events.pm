package Azora::Events;

# Clients of GET /v1/events, as many as wanted, that behave as a browser's
# EventSource does: they remember the last id, come back after "retry" with
# Last-Event-ID and read nothing else than fields.
#
#     my $events = Azora::Events->new($azora);
#     my $stream = $events->follow(token => $amina->{token});
#     $events->run(5, sub { @{ $stream->{events} } >= 3 });
#     $stream->{events}      # [{ id, event, data }, ...] as they came
#
# A stream also has: status and head of its last answer, opened (how often it
# was let in), closed (how often it was cut), beats, last, retry, body of a
# refusal.

use strict;
use warnings;

use Errno qw(EAGAIN EWOULDBLOCK EINTR);
use IO::Poll qw(POLLIN POLLHUP POLLERR);
use Time::HiRes qw(time);

use Azora::HTTP;


sub new {
    my ($class, $azora) = @_;
    return bless { azora => $azora, streams => [], poll => IO::Poll->new,
                   by_fd => {} }, $class;
}


# Options: token, query ("type=a"), last (Last-Event-ID), headers, azora
# (another node), once (does not come back), wait (seconds instead of retry).
sub follow {
    my ($self, %opts) = @_;
    my $stream = {
        azora => $self->{azora}, %opts, events => [], opened => 0,
        closed => 0, beats => 0, refused => 0, due => 0,
    };

    push @{ $self->{streams} }, $stream;
    $self->_connect($stream);
    return $stream;
}


sub _connect {
    my ($self, $stream) = @_;
    my $http = eval { $stream->{azora}->connect };
    my $path = '/v1/events' . ($stream->{query} ? "?$stream->{query}" : '');
    my %headers = %{ $stream->{headers} || {} };

    $headers{'Last-Event-ID'} = $stream->{last} if defined $stream->{last};

    if (!$http || !$http->write(Azora::HTTP::format_request('GET', $path,
                      token => $stream->{token}, headers => \%headers)))
    {
        $stream->{due} = time + 0.1;
        return;
    }

    $http->{socket}->blocking(0);
    @$stream{qw(http buffer head status data due)} =
        ($http, '', undef, undef, '', 0);
    delete @$stream{qw(event new_id)};
    $self->{by_fd}{fileno $http->{socket}} = $stream;
    $self->{poll}->mask($http->{socket} => POLLIN);
}


# Ends a stream from this side.
sub leave {
    my ($self, $stream) = @_;
    $self->_drop($stream) if $stream->{http};
    $stream->{once} = 1;
    $stream->{due} = 0;
}


sub leave_all {
    my ($self) = @_;
    $self->leave($_) for @{ $self->{streams} };
}


sub _drop {
    my ($self, $stream) = @_;
    my $http = delete $stream->{http};

    delete $self->{by_fd}{fileno $http->{socket}};
    $self->{poll}->remove($http->{socket});
    $http->close;
}


# Reads until the condition holds (true) or the time is over (false).
sub run {
    my ($self, $seconds, $done) = @_;
    my $end = time + $seconds;

    while (1) {
        return 1 if $done && $done->();
        my $now = time;
        return 0 if $now >= $end;

        for my $stream (grep { $_->{due} && $_->{due} <= $now }
                        @{ $self->{streams} })
        {
            $self->_connect($stream);
        }

        my $wait = $end - $now < 0.05 ? $end - $now : 0.05;
        if (!%{ $self->{by_fd} }) {
            select undef, undef, undef, $wait;
            next;
        }

        next if $self->{poll}->poll($wait) <= 0;
        for my $socket ($self->{poll}->handles(POLLIN | POLLHUP | POLLERR)) {
            $self->_read($self->{by_fd}{fileno $socket});
        }
    }
}


sub _read {
    my ($self, $stream) = @_;
    my $n = sysread $stream->{http}{socket}, $stream->{buffer}, 65536,
                    length $stream->{buffer};

    return if !defined $n && ($! == EAGAIN || $! == EWOULDBLOCK
                              || $! == EINTR);

    if ($n) {
        $stream->{on_bytes}->($n) if $stream->{on_bytes};
        $self->_parse($stream);
        return;
    }

    $stream->{body} = $stream->{buffer};
    $stream->{status} && $stream->{status} == 200 ? $stream->{closed}++
                                                  : $stream->{refused}++;
    $self->_drop($stream);
    return if $stream->{once};

    my $retry = $stream->{wait} || ($stream->{retry} || 1000) / 1000;
    $stream->{due} = time + $retry;
}


sub _parse {
    my ($self, $stream) = @_;

    if (!$stream->{status}) {
        return if $stream->{buffer} !~ s/\A(HTTP.*?\r\n)\r\n//s;
        $stream->{head} = $1;
        ($stream->{status}) = $stream->{head} =~ m{\AHTTP/1\.1 (\d+)};
        $stream->{opened}++ if $stream->{status} == 200;
    }

    return if $stream->{status} != 200;

    while ($stream->{buffer} =~ s/\A([^\n]*)\n//) {
        _field($stream, $1);
    }
}


# HTML, 9.2.6: an id counts from the empty line on, also without data.
sub _field {
    my ($stream, $line) = @_;

    if ($line eq '') {
        $stream->{last} = delete $stream->{new_id}
            if defined $stream->{new_id};
        if ($stream->{data} ne '') {
            push @{ $stream->{events} }, {
                id => $stream->{last}, data => $stream->{data},
                event => $stream->{event} || 'message', at => time };
        }
        $stream->{data} = '';
        delete $stream->{event};
        return;
    }

    my ($name, $value) = $line =~ /\A([^:]*)(?::[ ]?(.*))?\z/s;
    $stream->{beats}++ if $name eq '';
    $stream->{data} .= $value if $name eq 'data';
    $stream->{event} = $value if $name eq 'event';
    $stream->{new_id} = $value if $name eq 'id';
    $stream->{retry} = $value if $name eq 'retry';
}


1;

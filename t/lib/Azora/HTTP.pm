package Azora::HTTP;

# A small HTTP/1.1 client that lets a test send any bytes: half requests,
# pipelines, absurd headers.  One object is one connection.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

our $JSON = JSON::PP->new->utf8->allow_nonref->canonical;


# Dies when the server does not accept.
sub connect {
    my ($class, $address, $port, %opts) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => $address, PeerPort => $port, Proto => 'tcp',
        Timeout => $opts{timeout} || 30)
        or die "cannot connect to $address:$port: $!\n";

    setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, 1);
    $socket->autoflush(1);
    binmode $socket;

    return bless {
        socket => $socket, buffer => '', timeout => $opts{timeout} || 30,
    }, $class;
}


# False when the server has closed the connection meanwhile.
sub write {
    my ($self, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';
    my $written = 0;

    while ($written < length $bytes) {
        my $n = syswrite $self->{socket}, $bytes, length($bytes) - $written,
                         $written;
        return 0 if !defined $n;
        $written += $n;
    }

    return 1;
}


sub shutdown_write {
    my ($self) = @_;
    return CORE::shutdown($self->{socket}, 1);
}


sub close {
    my ($self) = @_;
    return CORE::close($self->{socket});
}


# Closes with a reset, as a client whose machine went away does.
sub reset {
    my ($self) = @_;
    setsockopt($self->{socket}, Socket::SOL_SOCKET(), Socket::SO_LINGER(),
               pack('II', 1, 0));
    return CORE::close($self->{socket});
}


# Reads more into the buffer; 0 at the end of the stream, undef when the
# deadline passed.
sub _fill {
    my ($self, $deadline) = @_;

    my $select = IO::Select->new($self->{socket});

    # a signal that the test handles ends the waiting early
    while (1) {
        my $left = $deadline - time;
        return undef if $left <= 0;
        last if $select->can_read($left);
    }

    my $n = sysread $self->{socket}, $self->{buffer}, 65536,
                    length $self->{buffer};
    return defined $n ? $n : 0;
}


# True when the server closed the connection within the time.
sub closed {
    my ($self, $seconds) = @_;
    my $deadline = time + ($seconds || $self->{timeout});

    while (1) {
        my $n = $self->_fill($deadline);
        return 0 if !defined $n;
        return 1 if $n == 0;
    }
}


# Builds a request; headers is a hash or a list of pairs.
sub format_request {
    my ($method, $path, %opts) = @_;

    my @headers = ref $opts{headers} eq 'HASH'
        ? map { [$_, $opts{headers}{$_}] } sort keys %{ $opts{headers} }
        : @{ $opts{headers} || [] };
    my %given = map { lc $_->[0] => 1 } @headers;
    my $body = $opts{body};

    if (exists $opts{json}) {
        $body = $JSON->encode($opts{json});
        push @headers, ['Content-Type', 'application/json']
            if !$given{'content-type'};
    }

    unshift @headers, ['Host', 'localhost'] if !$given{host};
    push @headers, ['Authorization', "Bearer $opts{token}"] if $opts{token};
    push @headers, ['Idempotency-Key', $opts{key}] if defined $opts{key};
    push @headers, ['Content-Length', length $body]
        if defined $body && !$given{'content-length'}
                         && !$given{'transfer-encoding'};
    push @headers, ['Connection', 'close']
        if !$opts{keepalive} && !$given{connection};

    return "$method $path HTTP/1.1\r\n"
         . join('', map { "$_->[0]: $_->[1]\r\n" } @headers)
         . "\r\n" . (defined $body ? $body : '');
}


# The next answer: {status, reason, headers, header_list, body, json}, or
# undef when the server closed without one.  Dies when it does not come in
# time or is not HTTP.
sub read_response {
    my ($self, %opts) = @_;
    my $deadline = time + ($opts{timeout} || $self->{timeout});
    my $response;

    do {
        $response = $self->_read_head($deadline) or return undef;
    } while ($response->{status} == 100);

    my $none = $opts{head} || $response->{status} == 204
               || $response->{status} == 304 || $response->{status} < 200;
    $response->{body} = $none ? '' : $self->_read_body($response, $deadline);

    my $type = $response->{headers}{'content-type'} || '';
    if ($type =~ m{^application/(?:[\w.-]+\+)?json} && !$none) {
        $response->{json} = eval { $JSON->decode($response->{body}) };
        $response->{json_error} = $@ if $@;
    }

    return $response;
}


sub _read_head {
    my ($self, $deadline) = @_;

    my $head;

    until ($self->{buffer} =~ s/\A(.*?)\r?\n\r?\n/$head = $1; ''/es) {
        my $n = $self->_fill($deadline);
        die "no answer within the time\n" if !defined $n;
        next if $n;
        return undef if $self->{buffer} eq '';
        die "the connection ended inside the head of an answer\n";
    }

    my ($line, @lines) = split /\r?\n/, $head;
    $line =~ m{\AHTTP/1\.[01] (\d{3}) ?(.*)\z}
        or die "not an HTTP answer: $line\n";

    my $response = { status => $1, reason => $2, headers => {},
                     header_list => [] };

    for (@lines) {
        my ($name, $value) = /\A([^:]+):\s*(.*?)\s*\z/
            or die "not a header: $_\n";
        push @{ $response->{header_list} }, [$name, $value];
        $name = lc $name;
        $response->{headers}{$name} = exists $response->{headers}{$name}
            ? "$response->{headers}{$name}, $value" : $value;
    }

    return $response;
}


sub _take {
    my ($self, $length, $deadline) = @_;

    while (length $self->{buffer} < $length) {
        my $n = $self->_fill($deadline);
        die "the answer did not end within the time\n" if !defined $n;
        die "the connection ended inside an answer\n" if !$n;
    }

    return substr $self->{buffer}, 0, $length, '';
}


sub _read_body {
    my ($self, $response, $deadline) = @_;
    my $headers = $response->{headers};

    if (($headers->{'transfer-encoding'} || '') =~ /chunked/i) {
        return $self->_read_chunks($deadline);
    }

    if (defined $headers->{'content-length'}) {
        return $self->_take($headers->{'content-length'}, $deadline);
    }

    while (1) {
        my $n = $self->_fill($deadline);
        die "the answer did not end within the time\n" if !defined $n;
        last if !$n;
    }

    return substr $self->{buffer}, 0, length $self->{buffer}, '';
}


sub _read_chunks {
    my ($self, $deadline) = @_;
    my $body = '';

    while (1) {
        my $length;

        until ($self->{buffer}
               =~ s/\A([0-9a-fA-F]+)[^\r\n]*\r\n/$length = hex $1; ''/e)
        {
            my $n = $self->_fill($deadline);
            die "a chunk did not come within the time\n" if !defined $n;
            die "the connection ended between chunks\n" if !$n;
        }

        $body .= $self->_take($length, $deadline) if $length;
        $self->_take(2, $deadline);
        return $body if !$length;
    }
}


1;

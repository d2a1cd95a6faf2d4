package Azora::Load;

# Clients that keep asking while a test does something to the server.  Each is
# a process with its own requests; what it saw is counted when it is stopped.
#
#     my $load = Azora::Load->start($azora, 4, sub { my ($n, $i) = @_; ... });
#     ...
#     my $seen = $load->stop;     # { asked, kinds => { '200' => 812 }, ids }
#
# The code returns the outcome as a short word, for example the status, and
# optionally an id that the caller wants back (a key whose fate is checked).

use strict;
use warnings;

use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep);


sub start {
    my ($class, $azora, $clients, $code) = @_;
    my $self = bless { clients => [] }, $class;

    for my $n (1 .. $clients) {
        pipe my $read, my $write or die "pipe: $!\n";
        my $pid = fork // die "fork: $!\n";

        if ($pid == 0) {
            close $read;
            _run($write, $n, $code);
            POSIX::_exit(0);
        }

        close $write;
        push @{ $self->{clients} }, { pid => $pid, read => $read };
    }

    return $self;
}


sub _run {
    my ($write, $n, $code) = @_;
    my $stop = 0;
    my ($asked, %kinds, %ids) = (0);

    local $SIG{TERM} = sub { $stop = 1 };

    # a bound, for a parent that died
    while (!$stop && $asked < 200_000 && getppid != 1) {
        my ($kind, $id) = eval { $code->($n, $asked) };
        $kind = "died: $@" =~ s/ at \S+ line.*//sr if !defined $kind;
        $asked++;
        $kinds{$kind}++;
        $ids{$id} = $kind if defined $id;
    }

    print $write JSON::PP::encode_json(
        { asked => $asked, kinds => \%kinds, ids => \%ids });
    close $write;
}


# Ends the clients, each after the request it is in.
sub stop {
    my ($self) = @_;
    my ($asked, %kinds, %ids) = (0);

    kill TERM => $_->{pid} for @{ $self->{clients} };

    for my $client (@{ $self->{clients} }) {
        local $/;
        my $text = readline $client->{read};
        waitpid $client->{pid}, 0;

        my $seen = JSON::PP::decode_json($text);
        $asked += $seen->{asked};
        $kinds{$_} += $seen->{kinds}{$_} for keys %{ $seen->{kinds} };
        %ids = (%ids, %{ $seen->{ids} });
    }

    $self->{clients} = [];

    return { asked => $asked, kinds => \%kinds, ids => \%ids };
}


sub DESTROY {
    my ($self) = @_;
    local $?;
    kill KILL => $_->{pid} for @{ $self->{clients} };
}


1;

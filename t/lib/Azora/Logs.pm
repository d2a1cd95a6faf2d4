package Azora::Logs;

# What an NGINX of the tests wrote: the part of Azora::Test that reads it.
# The object is a hash with dir, the server's directory, and opts.

use strict;
use warnings;

use File::Glob qw(:bsd_glob);

use Azora::HTTP;
use Azora::Process qw(poll_until slurp);


# A place in the error log, for error_log() and wait_log().
sub mark {
    my ($self) = @_;
    return -s "$self->{dir}/logs/error.log" || 0;
}


sub error_log {
    my ($self, $from) = @_;
    my $file = "$self->{dir}/logs/error.log";
    return '' if !-e $file;
    return substr slurp($file), $from || 0;
}


sub wait_log {
    my ($self, $pattern, $from, $seconds) = @_;
    return poll_until(($seconds || 10) * $self->patience,
                      sub { $self->error_log($from) =~ $pattern });
}


# The access log's lines, decoded; they may be up to a second late.
sub access_log {
    my ($self) = @_;
    my $file = "$self->{dir}/logs/access.log";
    return if !-e $file;
    return map { $Azora::HTTP::JSON->decode($_) } split /\n/, slurp($file);
}


# What may not stand in an error log, as a list of sentences.
sub complaints {
    my ($self) = @_;
    my $expected = $self->{opts}{expect_alert};
    my @found = grep { /\[(?:alert|emerg)\]|Sanitizer|runtime error:/ }
                split /\n/, $self->error_log($self->{ignored});

    @found = grep { $_ !~ $expected } @found if $expected;

    for my $file (glob "$self->{dir}/logs/{sanitizer,valgrind}.*") {
        push @found, slurp($file) if -s $file;
    }

    push @found, map { "core file $_" } grep { -f }
        glob "$self->{dir}/{core*,*/core*}";
    return @found;
}


1;

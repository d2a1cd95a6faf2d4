package Azora::Process;

# Small things about processes and files that the tests' harness needs.

use strict;
use warnings;

use Cwd ();
use Exporter qw(import);
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(alive children slurp spew poll_until run_or_die);


sub slurp {
    my ($file) = @_;
    open my $handle, '<', $file or return '';
    binmode $handle;
    local $/;
    my $text = <$handle>;
    return defined $text ? $text : '';
}


sub spew {
    my ($file, $text) = @_;
    open my $handle, '>', $file or die "$file: $!\n";
    binmode $handle;
    print $handle $text or die "$file: $!\n";
    close $handle or die "$file: $!\n";
}


# A process that has ended but was not waited for is not alive.
sub alive {
    my ($pid) = @_;
    return slurp("/proc/$pid/stat") =~ /\A\d+ \(.*\) [^ZX]/s ? 1 : 0;
}


sub children {
    my ($parent) = @_;
    my @found;

    for my $file (glob '/proc/[0-9]*/stat') {
        push @found, $1
            if slurp($file) =~ /\A(\d+) \(.*\) [^ZX] (\d+) /s
               && $2 == $parent;
    }

    return sort { $a <=> $b } @found;
}


# True as soon as the condition holds, false when it did not within the time.
sub poll_until {
    my ($seconds, $condition) = @_;
    my $deadline = time + $seconds;
    my $pause = 0.005;

    while (1) {
        return 1 if $condition->();
        return 0 if time > $deadline;
        sleep $pause;
        $pause *= 1.5 if $pause < 0.1;
    }
}


# Runs a command whose output goes to a file; returns its exit status.
sub run_to_file {
    my ($file, $dir, @command) = @_;

    my $pid = fork;
    die "fork: $!\n" if !defined $pid;

    if ($pid == 0) {
        open STDIN, '<', '/dev/null' or POSIX::_exit(126);
        open STDOUT, '>', $file or POSIX::_exit(126);
        open STDERR, '>&', \*STDOUT or POSIX::_exit(126);
        chdir $dir or POSIX::_exit(126);
        { no warnings 'exec'; exec { $command[0] } @command; }
        POSIX::_exit(127);
    }

    waitpid $pid, 0;
    return $?;
}


sub run_or_die {
    my (@command) = @_;
    system(@command) == 0
        or die "@command failed with status ", $? >> 8, "\n";
}


1;

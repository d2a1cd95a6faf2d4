package Azora::Chronicle;

# What tests of the public log share: appending entries, waiting for their
# numbers, copying the log over HTTP, and azora-verify.

use strict;
use warnings;

use Exporter 'import';
use File::Basename qw(dirname);
use File::Path qw(make_path);

use Azora::Process qw(poll_until slurp spew);
use Azora::Test;

our @EXPORT_OK = qw(append audit copy_log is_numbered published verify
                    vkey_file);


sub tool {
    my $build = $ENV{BUILD} || "$Azora::Test::ROOT/build";
    return $ENV{SANITIZE} ? "$build/san/bin/azora-verify"
                          : "$build/bin/azora-verify";
}


# The exit status and what was said.
sub verify {
    my (@arguments) = @_;

    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec tool(), @arguments or die tool() . ": $!\n";
    }

    my $said = do { local $/; <$out> };
    close $out;

    return ($? & 127 ? -1 : $? >> 8, $said);
}


sub vkey_file {
    my ($azora) = @_;
    my $file = "$azora->{dir}/vkey";

    spew($file, $azora->get('/chronicle/vkey')->{body});
    return $file;
}


# Audits the node's own files.
sub audit {
    my ($azora, @more) = @_;
    return verify('log', '--key', vkey_file($azora), @more,
                  "$azora->{dir}/chronicle");
}


# n entries about somebody in one transaction.
sub append {
    my ($azora, $subject, $n, $dbh) = @_;

    ($dbh || $azora->dbh)->do(
        q{SELECT journal.append_batch('test.counted',
                     array_agg(?::uuid), array_agg(json_build_object('n', i)),
                     array_agg(NULL::text))
          FROM generate_series(1, ?) AS i}, undef, $subject, $n);
}


# The size of the published checkpoint.
sub published {
    my ($azora) = @_;
    my $file = "$azora->{dir}/chronicle/checkpoint";

    return 0 if !-e $file;
    return (split /\n/, slurp($file))[1];
}


# Everything committed has its number and is published by this node.
sub is_numbered {
    my ($azora, $seconds) = @_;

    return poll_until(($seconds || 5) * $azora->patience, sub {
        return 0 == $azora->value(
                'SELECT count(*) FROM journal.entry WHERE seq IS NULL')
            && published($azora) == $azora->value(
                'SELECT count(*) FROM journal.entry');
    });
}


sub tile_path {
    my ($level, $index, $width) = @_;
    my $name = sprintf '%03d', $index % 1000;

    $name = sprintf 'x%03d/%s', $index % 1000, $name
        while $index = int($index / 1000);
    return "tile/$level/$name" . ($width < 256 ? ".p/$width" : '');
}


# The log as a stranger gets it, into a directory.
sub copy_log {
    my ($azora, $to) = @_;
    my @paths = ('checkpoint');
    my $note = $azora->get('/chronicle/checkpoint')->{body};
    my $size = (split /\n/, $note)[1];

    make_path($to);
    spew("$to/checkpoint", $note);

    for my $level ('entries', 0 .. 7) {
        my $n = $level eq 'entries' ? $size : $size >> (8 * $level);

        for (my $at = 0; $at < $n; $at += 256) {
            my $width = $n - $at < 256 ? $n - $at : 256;
            my $path = tile_path($level, $at / 256, $width);
            my $r = $azora->get("/chronicle/$path");
            die "$path: $r->{status}\n" if $r->{status} != 200;
            make_path(dirname("$to/$path"));
            spew("$to/$path", $r->{body});
            push @paths, $path;
        }
    }

    return @paths;
}


1;

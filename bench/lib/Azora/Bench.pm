package Azora::Bench;

# Paired measurements.  A shared machine's speed drifts by 10-25%, so a claim
# is the median of the ratios of neighbouring runs, never one absolute figure.

use strict;
use warnings;

use Azora::Process qw(poll_until);
use Cwd qw(abs_path);
use Digest::SHA qw(hmac_sha256);
use Exporter 'import';
use File::Basename qw(dirname);
use IO::Socket::INET;
use MIME::Base64 qw(encode_base64url);
use Time::HiRes qw(sleep time);

our @EXPORT = qw(compare report seconds runs wrk load pgbench median capture
                 background peer hs256_token);

my $BENCH = abs_path(dirname(__FILE__) . '/../..');

sub seconds { return $ENV{BENCH_SECONDS} || 3 }
sub runs    { return $ENV{BENCH_RUNS} || 3 }


sub median {
    my @sorted = sort { $a <=> $b } @_;
    my $half = int @sorted / 2;

    return @sorted % 2 ? $sorted[$half]
                       : ($sorted[$half - 1] + $sorted[$half]) / 2;
}


# Runs both in turn, swapping who goes first, and prints the line.  target is
# the ratio that the project promises itself.
sub compare {
    my ($name, $ours, $peer, %opts) = @_;
    my (@ours, @peer, @ratios);

    $_->(warm => 1) for $ours, $peer;

    for my $run (1 .. runs()) {
        my ($a, $b);

        if ($run % 2) {
            $a = $ours->();
            $b = $peer->();

        } else {
            $b = $peer->();
            $a = $ours->();
        }

        push @ours, $a;
        push @peer, $b;
        push @ratios, $b ? $a / $b : 0;
    }

    my @sorted = sort { $a <=> $b } @ratios;

    printf "bench %s ours=%.0f peer=%.0f ratio=%.2f\n", $name,
        median(@ours), median(@peer), median(@ratios);
    printf "      ratios %s%s; the machine's noise is 10-25%%\n",
        join(' ', map { sprintf '%.2f', $_ } @sorted),
        $opts{target} ? ", target $opts{target}" : '';
    print "      $opts{note}\n" if $opts{note};

    return median(@ratios);
}


sub report {
    my ($name, $ours, $limit) = @_;
    printf "bench %s ours=%.1f peer=%.1f ratio=%.2f\n", $name, $ours, $limit,
        $limit ? $ours / $limit : 0;
}


sub capture {
    my (@command) = @_;

    open my $out, '-|', @command or die "$command[0]: $!\n";
    local $/;
    my $text = <$out>;
    close $out or die "@command failed:\n$text\n";

    return $text;
}


# Requests a second.  Options: path, token, connections, threads, script, warm.
# Dies when any answer was not 2xx, because a fast error is no speed.
sub wrk {
    my ($base, %opts) = @_;

    my @command = ('wrk', '-t', $opts{threads} || 1,
                   '-c', $opts{connections} || 64,
                   '-d', ($opts{warm} ? 1 : seconds()) . 's');

    push @command, '-H', "Authorization: Bearer $opts{token}" if $opts{token};
    push @command, '-s', $opts{script} if $opts{script};
    push @command, '--latency' if $opts{latency};

    my $text = capture(@command, $base . ($opts{path} || '/'));

    if ($text =~ /Non-2xx or 3xx responses: (\d+)/) {
        die "wrk $opts{path}: $1 answers were not 2xx\n$text\n";
    }

    $text =~ m{Requests/sec:\s+([\d.]+)} or die "wrk: $text\n";
    my $rate = $1;

    return wantarray ? ($rate, $text) : $rate;
}


# What bench/load.c saw: {rate, p50, p99, ... in us}; 256 connections unless
# said.  Options: connections, rate (requests a second; without: as fast as it
# goes), seconds, warm.  Dies when any answer was not 2xx.
my $load;

sub load {
    my ($port, $file, %opts) = @_;

    if (!$load) {
        my $build = $ENV{BUILD} || "$BENCH/../build";
        $load = "$build/bin/azora-load";
        mkdir "$build/bin";
        capture('cc', '-O2', '-Wall', '-o', $load, "$BENCH/load.c");
    }

    my $text = capture($load, '-c', $opts{connections} || 256,
        '-d', $opts{warm} ? 1 : $opts{seconds} || seconds(), '-w', 0.5,
        $opts{rate} ? ('-r', $opts{rate}) : (), $opts{kernel} ? '-k' : (),
        $port, $file);

    my %seen = $text =~ /(\w+)=([\d.]+)/g;
    die "load $file: $seen{errors} answers were not 2xx\n" if $seen{errors};

    return \%seen;
}


# Transactions a second of one script.  Options: clients, warm.
sub pgbench {
    my ($azora, $sql, %opts) = @_;

    my $file = "$azora->{dir}/pgbench.sql";
    open my $out, '>', $file or die "$file: $!\n";
    print $out $sql;
    close $out or die "$file: $!\n";

    local $ENV{PGPASSWORD} = 'x';

    my $text = capture('pgbench', '-n', '-M', 'prepared', '-j', 2,
        '-c', $opts{clients} || 8, '-T', $opts{warm} ? 1 : seconds(),
        '-h', $azora->{postgres_sockets}, '-p', 5432, '-U', 'postgres',
        '-f', $file, $azora->{database});

    $text =~ /tps = ([\d.]+)/ or die "pgbench: $text\n";

    return $1;
}


# A process that ends with this one.
my @children;

sub background {
    my ($env, @command) = @_;

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        setpgrp;
        $ENV{$_} = $env->{$_} for keys %$env;
        open STDOUT, '>', '/dev/null';
        exec @command or die "$command[0]: $!\n";
    }

    push @children, $pid;

    return $pid;
}


# Starts a server of bench/peers on Azora's database: its port.  Its tokens
# are HS256 with this secret.
my $SECRET = 'bench-secret-bench-secret-bench-1';

sub peer {
    my ($azora, $program) = @_;

    system("$BENCH/peers/setup") == 0 or die "bench/peers/setup failed\n";

    my $probe = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
        or die "no free port: $!\n";
    my $port = $probe->sockport;
    close $probe;

    my $sockets = $azora->{postgres_sockets} =~ s{([^A-Za-z0-9])}
                                                 {sprintf '%%%02X', ord $1}egr;

    background({
        PORT => $port, SECRET => $SECRET, NODE_ENV => 'production',
        DATABASE_URL => "postgresql://postgres\@localhost/$azora->{database}"
                        . "?host=$sockets",
    }, 'node', "$BENCH/peers/$program");

    poll_until(20, sub {
        return IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
    }) or die "$program does not listen\n";

    return $port;
}


sub hs256_token {
    my ($subject) = @_;
    my $signed = join '.', map { encode_base64url($_) }
        '{"alg":"HS256","typ":"JWT"}',
        sprintf '{"sub":"%s","exp":%d}', $subject, time + 36000;

    return "$signed." . encode_base64url(hmac_sha256($signed, $SECRET));
}


END {
    kill KILL => -$_ for @children;
}


1;

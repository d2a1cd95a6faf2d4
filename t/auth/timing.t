#!/usr/bin/perl

# An address that has no account takes as long as one that has: 200 attempts in
# pairs, each pair in another order, because the machine does other things too.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Test;
use Test::More;
use Time::HiRes qw(time);

my $azora = Azora::Test->start(workers => 1);
my $rounds = 100;

# accounts without the cost of registering: all have the first one's hash
$azora->register('known0');
$azora->sql("INSERT INTO identity.account (id, email, name)
    SELECT azora.uuid7(), 'known' || n || '\@example.org', 'Known'
    FROM generate_series(1, ?) AS n", $rounds);
$azora->sql("INSERT INTO identity.credential (account, password)
    SELECT a.id, c.password
    FROM identity.account AS a, identity.credential AS c
    WHERE a.name = 'Known'");

my $connection = $azora->connect;
my (%times, $faster);

for my $n (0 .. $rounds) {
    my %took;

    for my $kind ($n % 2 ? qw(known unknown) : qw(unknown known)) {
        my $from = time;
        my $r = $azora->post('/v1/auth/login', connection => $connection,
            json => { email => "$kind$n\@example.org",
                      password => 'a wrong pass phrase' });
        $took{$kind} = time - $from;
        is $r->{status}, 401, "$kind$n" if $n == 0;
    }

    # the first pair warms up
    next if $n == 0;
    push @{ $times{$_} }, $took{$_} for keys %took;
    $faster++ if $took{unknown} < $took{known};
}

my %median = map { $_ => (sort { $a <=> $b } @{ $times{$_} })[$rounds / 2] }
             keys %times;
my $ratio = $median{unknown} / $median{known};

note sprintf 'known %.2f ms, unknown %.2f ms, unknown faster in %d of %d',
    $median{known} * 1e3, $median{unknown} * 1e3, $faster, $rounds;
cmp_ok $ratio, '>', 0.8, 'an unknown account is not faster';
cmp_ok $ratio, '<', 1.25, 'nor slower';

# 50 of 100, give or take four standard deviations of 5
cmp_ok abs($faster - $rounds / 2), '<=', 20, 'and nobody could tell by pairs';

done_testing;

#!/usr/bin/perl

# An address that has no account takes as long as one that has: interleaved,
# and compared by medians, because the machine does other things too.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Test;
use Test::More;
use Time::HiRes qw(time);

my $azora = Azora::Test->start(workers => 1);
my $rounds = 40;

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
my %times;

for my $n (0 .. $rounds) {
    for my $kind (qw(known unknown)) {
        my $from = time;
        my $r = $azora->post('/v1/auth/login', connection => $connection,
            json => { email => "$kind$n\@example.org",
                      password => 'a wrong pass phrase' });
        push @{ $times{$kind} }, time - $from if $n > 0;
        is $r->{status}, 401, "$kind$n" if $n == 0;
    }
}

my %median = map { $_ => (sort { $a <=> $b } @{ $times{$_} })[$rounds / 2] }
             keys %times;
my $ratio = $median{unknown} / $median{known};

note sprintf 'known %.2f ms, unknown %.2f ms', $median{known} * 1e3,
    $median{unknown} * 1e3;
cmp_ok $ratio, '>', 0.7, 'an unknown account is not faster';
cmp_ok $ratio, '<', 1.4, 'nor slower';

done_testing;

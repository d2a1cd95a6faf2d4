#!/usr/bin/env perl

# The journey of the README under valgrind's memcheck: no invalid access, no
# use of what was never written.

use strict;
use warnings;

use FindBin;
use Test::More;

plan skip_all => 'the sanitizers watch this run' if $ENV{SANITIZE};

$ENV{AZORA_TEST_VALGRIND} = 1;

my $test = "$FindBin::RealBin/../journey.t";
my $printed = qx{$^X $test 2>&1};

is $?, 0, 'the journey is clean under valgrind' or diag $printed;
like $printed, qr/^ok \d+ - Two people register/m, 'and took place';

done_testing;

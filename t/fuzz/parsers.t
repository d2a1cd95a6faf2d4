#!/usr/bin/perl

# AZORA_FUZZ_SEED=n repeats a run; the seed is in the output.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Unit;
use Test::More tests => 1;

Azora::Unit->new->run("$Bin/parsers.c");

#!/usr/bin/perl

# Compiles and runs every t/unit/*.c; "prove t/unit/00unit.t :: route" only
# those named.

use strict;
use warnings;

use FindBin qw($Bin);
use File::Basename qw(basename);
use lib "$Bin/../lib";

use Azora::Unit;
use Test::More;

my %wanted = map { $_ => 1 } @ARGV;

# not glob: the checkout's path may hold blanks and brackets
opendir my $folder, $Bin or die "$Bin: $!\n";
my @sources = map { "$Bin/$_" }
              grep { !%wanted || $wanted{ basename($_, '.c') } }
              sort grep { /\.c\z/ } readdir $folder;

plan tests => scalar @sources;

my $unit = Azora::Unit->new;
$unit->run($_) for @sources;

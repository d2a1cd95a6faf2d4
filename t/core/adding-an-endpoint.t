#!/usr/bin/env perl

# docs/ADDING_AN_ENDPOINT.md, followed word by word in a copy of the tree: its
# blocks go where it says, the copy is built and deployed, and the page's own
# test calls the new endpoint.

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp ();
use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Process qw(run_or_die slurp spew);
use Azora::Test;
use Test::More;

my $page = slurp("$Azora::Test::ROOT/docs/ADDING_AN_ENDPOINT.md");
my @blocks;

while ($page =~ /^`([^`]+)`(?:, above `([^`]+)`)?:\n\n```\w+\n(.*?)^```$/msg) {
    push @blocks, { file => $1, above => $2, text => $3 };
}

is scalar @blocks, scalar(() = $page =~ /^```\w/mg),
   'every block says where it goes';

my $lines = grep { /\S/ } map { split /\n/, $_->{text} } @blocks;
cmp_ok $lines, '<', 30, "$lines lines";

my $dir = File::Temp->newdir('azora-endpoint-XXXXXX', TMPDIR => 1);
my $tree = "$dir/tree";
chmod 0755, $dir;
make_path($tree);
run_or_die('sh', '-c', 'cd "$1" && tar -cf - config Makefile conf modules '
           . 'ngx_azora_core scripts sql t tools | tar -xf - -C "$2"', 'sh',
           $Azora::Test::ROOT, $tree);

my $test;

for my $block (@blocks) {
    my $file = "$tree/$block->{file}";
    $test = $file if $file =~ /\.t\z/;

    if (!defined $block->{above}) {
        ok !-e $file, "$block->{file} is new";
        make_path(dirname($file));
        spew($file, $block->{text});
        next;
    }

    my $text = slurp($file);
    is scalar(() = $text =~ /^\Q$block->{above}\E$/mg), 1,
       "the place in $block->{file} is one";
    $text =~ s/^(?=\Q$block->{above}\E$)/$block->{text}\n/m;
    spew($file, $text);
}

# a build and a cluster of the copy's own
delete local @ENV{qw(AZORA_TEST_RUN AZORA_ROOT SANITIZE)};
local $ENV{BUILD} = "$tree/build";

run_or_die("$tree/scripts/build");
pass 'the copy is built';

my $output = qx{perl '$test' 2>&1};
is $?, 0, 'the new endpoint answers' or diag($output);
like $output, qr/^ok 1 - nobody is enrolled yet$/m, 'as the page says';

done_testing;

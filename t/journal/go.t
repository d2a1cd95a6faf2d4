#!/usr/bin/env perl

# The log and its receipts as a stranger sees them, checked by Go's packages
# note and tlog (Debian's golang-golang-x-mod-dev) and none of our code.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Chronicle qw(append copy_log is_numbered vkey_file);
use Azora::Process qw(slurp spew);
use Azora::Test;
use Test::More;

my $SOURCES = '/usr/share/gocode/src/golang.org/x/mod';

plan skip_all => 'neither go nor golang-golang-x-mod-dev: scripts/packages test'
    if !-d $SOURCES || !grep { -x "$_/go" } split /:/, $ENV{PATH};

my $azora = Azora::Test->start(workers => 1);
my $amina = $azora->user('amina');
my $dir = $azora->{dir};

# in GOPATH mode Debian's packages are found without a network
my $gopath = "$dir/go";
mkdir $_ for $gopath, "$gopath/src", "$gopath/src/audit";
spew("$gopath/src/audit/audit.go",
     slurp("$FindBin::RealBin/go/audit.go"));

{
    local %ENV = (%ENV, GO111MODULE => 'off', GOFLAGS => '',
                  GOPATH => "$gopath:/usr/share/gocode",
                  GOCACHE => "$dir/gocache");
    my $said = qx{cd "$gopath/src/audit" && go build -o "$dir/audit" . 2>&1};
    is $?, 0, 'the verifier compiles' or BAIL_OUT($said);
}

sub audit {
    my ($copy, $old, @receipts) = @_;
    my $said = do {
        open my $out, '-|', "$dir/audit", vkey_file($azora), $copy, $old,
            @receipts or die "audit: $!\n";
        local $/;
        <$out>;
    };
    chomp $said;
    return $said;
}

ok is_numbered($azora), 'a small log';
copy_log($azora, "$dir/small");
my $small = (split /\n/, slurp("$dir/small/checkpoint"))[1];
is audit("$dir/small", "$dir/small/checkpoint"),
   "ok $small leaves, 0 receipts", 'is right, says Go';

append($azora, $amina->{id}, 3_000);
ok is_numbered($azora, 30), 'a larger one';

my @receipts;
for my $item (@{ $azora->get('/v1/me/activity?limit=20',
                             token => $amina->{token})->{json}{items} })
{
    my $file = "$dir/receipt-" . @receipts;
    spew($file, $azora->get("/v1/me/receipts/$item->{id}",
                            token => $amina->{token})->{body});
    push @receipts, $file;
}

copy_log($azora, "$dir/large");
my $large = (split /\n/, slurp("$dir/large/checkpoint"))[1];
my $n = @receipts;
is $n, 20, 'with receipts';
is audit("$dir/large", "$dir/small/checkpoint", @receipts),
   "ok $large leaves, $n receipts",
   'leaves, proofs, consistency and receipts are right, says Go';

my $tile = "$dir/large/tile/0/003";
my $bytes = slurp($tile);
substr($bytes, 777, 1) ^= "\x01";
spew($tile, $bytes);
unlike audit("$dir/large", "$dir/small/checkpoint"), qr/^ok/,
    'and Go does look';

done_testing;

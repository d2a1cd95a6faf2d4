#!/usr/bin/perl

# Receipts as the library of Sigstore reads them: the checkpoint's signature
# and the path from the entry to its root, with none of our code.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Chronicle qw(append is_numbered);
use Azora::Process qw(spew);
use Azora::Test;
use Test::More;

my $tools = `$Azora::Test::ROOT/t/npm/install journal 2>/dev/null`;
plan skip_all => 'npm cannot be reached' if $? || !chomp $tools;

my $azora = Azora::Test->start(workers => 1);
my $amina = $azora->user('amina');
my $vkey = $azora->get('/chronicle/vkey')->{body};


sub receipts {
    my @items = @{ $azora->get('/v1/me/activity?limit=100',
                               token => $amina->{token})->{json}{items} };
    return map {
        my $r = $azora->get("/v1/me/receipts/$_->{id}",
                            token => $amina->{token});
        die "$r->{status} $r->{body}\n" if $r->{status} != 200;
        $r->{json};
    } @items;
}


sub said {
    my ($key, @receipts) = @_;
    spew("$azora->{dir}/receipts", $Azora::HTTP::JSON->encode({
        vkey => $key, receipts => \@receipts }));
    return split /\n/, `node $Bin/sigstore.mjs $tools \\
                        < $azora->{dir}/receipts`;
}


# as many as a tile and some, so that paths cross levels
append($azora, undef, 300);
append($azora, $amina->{id}, 20);
ok is_numbered($azora, 30), 'a log';

my @receipts = receipts();
cmp_ok scalar @receipts, '>=', 20, 'with receipts';
my @lines = said($vkey, @receipts);
is_deeply \@lines, [('included') x @receipts], 'each is included';

my ($one) = @receipts;
my @proof = @{ $one->{proof} };
my %wrong = (
    'another entry' => { entry => $one->{entry} =~ s/"v":1/"v":2/r },
    'another index' => { index => $one->{index} - 1 },
    'another path' => { proof => [reverse @proof] },
    'a shorter path' => { proof => [@proof[1 .. $#proof]] },
    'another size' => { checkpoint => $one->{checkpoint}
                        =~ s/\n(\d+)\n/"\n" . ($1 + 1) . "\n"/er },
    'another signature' => { checkpoint => $one->{checkpoint}
                             =~ s/(.)(....==?\n)\z/($1 eq 'A' ? 'B' : 'A')
                                                   . $2/er },
);

for my $what (sort keys %wrong) {
    my ($line) = said($vkey, { %$one, %{ $wrong{$what} } });
    like $line, qr/invalid|match/, "$what is found out";
}

my ($other) = said($azora->get('/chronicle/vkey')->{body}
                   =~ s/\+[^+]+\z/'+' . ('A' x 44)/er, $one);
like $other, qr/invalid checkpoint signature/, 'so is another key';

done_testing;

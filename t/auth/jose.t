#!/usr/bin/perl

# An independent library, npm's jose: it verifies our tokens by our published
# keys, we take what it signs with our key, and we refuse what it forges.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(slurp spew);
use Azora::Test;
use Azora::Token;
use Test::More;

my $tools = `$Azora::Test::ROOT/t/npm/install`;
plan skip_all => 'npm or its registry is missing' if $? >> 8 == 3;
chomp $tools;

my $azora = Azora::Test->start(workers => 1);
my $amina = $azora->user('amina');
my ($pem) = glob "$azora->{dir}/keys/*.pem";
my $jwks = $azora->get('/.well-known/jwks.json')->{json};

spew("$azora->{dir}/given.json", $Azora::HTTP::JSON->encode({
    jwks => $jwks, token => $amina->{token}, pem => slurp($pem) }));
my $said = qx{node '$Azora::Test::ROOT/t/npm/tokens.cjs' '$tools' \\
              < '$azora->{dir}/given.json'};
is $?, 0, 'jose verifies our token by our keys' or BAIL_OUT('nothing to do');
my $made = $Azora::HTTP::JSON->decode($said);

my ($header, $claims) = Azora::Token::parts($amina->{token});
is_deeply $made->{header}, $header, 'and reads the header as we do';
is_deeply $made->{claims}, $claims, 'and the claims';
is $made->{thumbprint}, $jwks->{keys}[0]{kid}, 'the kid is its thumbprint';

is $azora->get('/v1/me', token => $made->{good})->{json}{id}, $amina->{id},
    'we take what jose signs with our key';

my @forged = sort keys %{ $made->{forged} };
cmp_ok scalar @forged, '>', 15, 'it forges many';

for my $name (@forged) {
    my $r = $azora->get('/v1/me', token => $made->{forged}{$name});
    is "$r->{status} $r->{json}{type}", '401 /problems/invalid-token',
        "$name: refused" or diag $r->{body};
}

done_testing;

#!/usr/bin/perl

# Other people's libraries find us by discovery and agree about our tokens.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Test;
use Azora::Token;
use JSON::PP ();
use Test::More;

my $tools = `'$Azora::Test::ROOT/t/npm/install' auth`;
plan skip_all => 'npm cannot install the client here' if $? >> 8 == 3;
chomp $tools;

# the issuer is where we listen
my $azora = Azora::Test->start(workers => 1, edit => sub {
    my ($listen) = /listen\s+(127\.0\.0\.1:\d+)/;
    s{azora_auth_issuer .*}{azora_auth_issuer "http://$listen";};
});
my $amina = $azora->user('amina');
my $service = $azora->user('things', roles => ['service']);
my (undef, $claims) = Azora::Token::parts($amina->{token});


sub asked {
    my ($token) = @_;
    my $text = do {
        open my $node, '-|', 'node', "$Bin/client.mjs",
            "$tools/node_modules",
            "http://$azora->{address}:$azora->{port}", $service->{token}, $token,
            'azora' or die "node: $!\n";
        local $/;
        <$node>;
    };
    return JSON::PP::decode_json($text);
}


my $r = asked($amina->{token});
is $r->{issuer}, "http://$azora->{address}:$azora->{port}",
    'openid-client takes our discovery document';
ok $r->{active}, 'and our introspection';
is $r->{sub}, $claims->{sub}, 'which says whose the token is';
is $r->{checked}, $claims->{sub}, 'oauth4webapi finds it good by itself';
like $r->{elsewhere}, qr/^refused/, 'not for another audience';
like $r->{forged}, qr/^refused/, 'nor with another signature';

$azora->post('/v1/auth/logout', token => $amina->{token});
ok !asked($amina->{token})->{active}, 'after a logout we say that it is over';

done_testing;

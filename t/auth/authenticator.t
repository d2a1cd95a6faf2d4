#!/usr/bin/perl

# An authenticator of another make: it scans our QR code and its codes log in.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until spew);
use Azora::Test;
use JSON::PP ();
use Test::More;

my $tools = `'$Azora::Test::ROOT/t/npm/install' auth`;
plan skip_all => 'npm cannot install the authenticator here' if $? >> 8 == 3;
chomp $tools;

my $azora = Azora::Test->start(workers => 1);
my $amina = $azora->user('amina');
my $made = $azora->post('/v1/auth/totp', token => $amina->{token})->{json};


# What the telephone shows after it has seen the picture
sub telephone {
    spew("$azora->{dir}/qr.svg", $made->{qr_svg});
    poll_until(10, sub { time % 30 < 25 });
    local $ENV{NODE_PATH} = "$tools/node_modules";
    my $shown = `node '$Bin/authenticator.js' < '$azora->{dir}/qr.svg'`;
    return JSON::PP::decode_json($shown);
}


my $shown = telephone();
is $shown->{uri}, $made->{uri}, 'jsqr reads our picture';
ok $shown->{valid}, 'otplib takes its own code';
is $azora->post('/v1/auth/totp/confirm', token => $amina->{token},
                json => { code => $shown->{code} })->{status}, 200,
    'and we take it to turn the second factor on';

# as if half a minute had passed
$azora->sql('UPDATE identity.totp SET last_step = 1');
my $challenge = $azora->post('/v1/auth/login', json => {
    email => 'amina@example.org', password => 'a long pass phrase' });
is $azora->post('/v1/auth/mfa', json => {
    mfa_token => $challenge->{json}{mfa_token},
    code => telephone()->{code} })->{status}, 200, 'and to log in';

done_testing;

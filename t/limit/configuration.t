#!/usr/bin/perl

# What `nginx -t` says of wrong directives: always which one and why.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Conf;
use Test::More;

my $conf = Azora::Conf->new('limit');
my $zone = 'azora_limit_zone name=ip size=1m;';


my @wrong = (
    ['azora_limit_zone name=ip;', qr/number of arguments/],
    ['azora_limit_zone name=ip name=ip;', qr/needs size=/],
    ['azora_limit_zone size=1m name=;', qr/needs name=/],
    ['azora_limit_zone size=1m size=1m;', qr/needs name=/],
    ['azora_limit_zone "name=a b" size=1m;', qr/needs name=/],
    ['azora_limit_zone name=ip size=1k;', qr/needs size=, at least/],
    ['azora_limit_zone name=ip size=x;', qr/needs size=/],
    ['azora_limit_zone name=ip colour=red;', qr/"colour=red"/],
    ["$zone $zone", qr/already there/],
    ["$zone azora_limit zone=ip;", qr/needs rate=/],
    ["$zone azora_limit rate=1r/s;", qr/needs zone=/],
    ["$zone azora_limit zone=ip rate=0r/s;", qr/needs rate=/],
    ["$zone azora_limit zone=ip rate=100;", qr/needs rate=/],
    ["$zone azora_limit zone=ip rate=-1r/s;", qr/needs rate=/],
    ["$zone azora_limit zone=ip rate=1r/y;", qr/needs rate=/],
    ["$zone azora_limit zone=ip rate=r/s;", qr/needs rate=/],
    ["$zone azora_limit zone=ip rate=9999999r/s;", qr/needs rate=/],
    ["$zone azora_limit zone=ip rate=1r/s burst=0;", qr/"burst=0" must be/],
    ["$zone azora_limit zone=ip rate=1r/d burst=1000000;", qr/takes too long/],
    ["$zone azora_limit zone=ip rate=1r/s key=me;",
     qr/"key=me" is neither address, subject, session/],
    ["$zone azora_limit zone=ip rate=1r/s key=;", qr/"key=" has no value/],
    ["$zone azora_limit zone=ip rate=1r/s key=\$no_such;", qr/no_such/],
    ["$zone azora_limit zone=ip rate=1r/s tier=free;",
     qr/takes tier= with key=subject or key=session only/],
    ["$zone azora_limit zone=ip rate=1r/s nodelay;", qr/"nodelay" is not kno/],
    ["$zone azora_limit zone=ip rate=1r/s; azora_limit off;",
     qr/has rules here already/],
    ["$zone azora_limit off; azora_limit zone=ip rate=1r/s;",
     qr/is "off" here already/],
    ["$zone " . 'azora_limit zone=ip rate=1r/s; ' x 17, qr/too often/],
    ['azora_limit zone=nowhere rate=1r/s;', qr/zero size .* "nowhere"/],
    ['azora_limit_exempt nonsense;', qr/"nonsense"/],
    ['azora_limit_log_level loud;', qr/"loud"/],
);

for my $case (@wrong) {
    my ($lines, $expected) = @$case;
    my ($status, $said) = $conf->check($lines);

    ok $status != 0, "refused: $lines";
    like $said, $expected, 'and the reason is given';
}

my ($status, $said) = $conf->check(<<"HTTP");
$zone
azora_limit_zone name=Person-2_x size=64k;
azora_limit zone=ip rate=10r/s;
azora_limit zone=Person-2_x key=subject rate=5000r/d burst=10 tier=free;
azora_limit zone=Person-2_x key=subject rate=1000r/h;
azora_limit zone=ip key="\$host\$uri" rate=100r/m dry_run;
azora_limit zone=ip key=session rate=100r/m tier=student route=/v1/a|/v1/b;
azora_limit zone=ip key=api_key rate=100r/m;
azora_limit_zone name=all size=1m shared;
azora_limit_exempt 127.0.0.1 10.0.0.0/8 ::1 unix:;
azora_limit_log_level info;
server { location / { azora_limit off; } }
HTTP

is $status, 0, 'what is right is taken' or diag $said;

done_testing;

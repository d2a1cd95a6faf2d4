#!/usr/bin/perl

# What `nginx -t` says of values that the core and the journal do not take:
# the directive, the value and what is allowed.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Conf;
use Test::More;

my $conf = Azora::Conf->new('journal');


for ([azora_lane => 'read', 'connections=0', 'connections= from 1 to 64'],
     [azora_lane => 'write', 'connections=65', 'connections= from 1 to 64'],
     [azora_lane => 'slow', 'queue=-1', 'queue= from 1 to 1000000'],
     [azora_lane => 'read', 'timeout=5x', 'timeout= from 10ms to 1h'],
     [azora_lane => 'batch', 'connections=2', 'connections=1,'],
     [azora_lane => 'batch', 'gather=1s', 'at most 100ms'],
     [azora_lane => 'write', 'gather=1ms', 'connections='],
     [azora_fetch => '', 'connections=2000', 'from 1 to 1024'],
     [azora_fetch => '', 'queue=0', 'queue= from 1 to 100000'],
     [azora_events_stream => 'events', 'maxlen=0', 'from 1 to 100000000'])
{
    my ($directive, $first, $value, $allowed) = @$_;
    my ($status, $said) = $conf->check("$directive $first $value;");

    isnt $status, 0, "$directive $first $value is refused";
    like $said, qr/"\Q$value\E".*"$directive" takes.*\Q$allowed\E/,
        'with what is allowed';
}

for my $directive (qw(azora_events_lifetime azora_events_heartbeat)) {
    for my $value (qw(0 1ms 2d)) {
        my ($status, $said) = $conf->check("$directive $value;");

        isnt $status, 0, "$directive $value is refused";
        like $said, qr/"$directive" directive takes a time from 1s to 1d/,
            'with what is allowed';
    }
}

my ($status, $said) = $conf->check(<<'HTTP');
azora_lane read connections=64 queue=1000000 timeout=10ms;
azora_lane batch connections=1 gather=100ms;
azora_fetch connections=1024 queue=100000;
azora_events_lifetime 1s;
azora_events_heartbeat 1d;
azora_events_stream events maxlen=1;
HTTP

is $status, 0, 'the ends of what is allowed are taken' or diag $said;

done_testing;

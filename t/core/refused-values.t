#!/usr/bin/perl

# What `nginx -t` says of values that the core and the journal do not take:
# the directive, the value and what is allowed.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(slurp spew);
use Azora::Test;
use File::Temp qw(tempdir);
use Test::More;

my $dir = tempdir(CLEANUP => 1);
my $modules = join "\n", grep { /azora_(?:journal_)?module/ }
                              split /\n/, Azora::Test::module_lines();


# The status of `nginx -t` with these lines in http {}, and all it said
sub check {
    my ($http) = @_;
    my $log = "$dir/log";

    unlink $log;
    spew("$dir/nginx.conf", "$modules\n" . <<"CONF");
pid $dir/pid;
error_log $log info;
events { }
http {
    access_log off;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    $http
}
CONF

    my @command = (Azora::Test::nginx_binary(), '-t', '-p', "$dir/", '-e',
                   $log, '-c', "$dir/nginx.conf");
    local $ENV{ASAN_OPTIONS} = 'detect_leaks=0:detect_odr_violation=0';
    my $status = Azora::Process::run_to_file("$dir/out", $dir, @command);

    return ($status, slurp("$dir/out") . slurp($log));
}


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
    my ($status, $said) = check("$directive $first $value;");

    isnt $status, 0, "$directive $first $value is refused";
    like $said, qr/"\Q$value\E".*"$directive" takes.*\Q$allowed\E/,
        'with what is allowed';
}

for my $directive (qw(azora_events_lifetime azora_events_heartbeat)) {
    for my $value (qw(0 1ms 2d)) {
        my ($status, $said) = check("$directive $value;");

        isnt $status, 0, "$directive $value is refused";
        like $said, qr/"$directive" directive takes a time from 1s to 1d/,
            'with what is allowed';
    }
}

my ($status, $said) = check(<<'HTTP');
azora_lane read connections=64 queue=1000000 timeout=10ms;
azora_lane batch connections=1 gather=100ms;
azora_fetch connections=1024 queue=100000;
azora_events_lifetime 1s;
azora_events_heartbeat 1d;
azora_events_stream events maxlen=1;
HTTP

is $status, 0, 'the ends of what is allowed are taken' or diag $said;

done_testing;

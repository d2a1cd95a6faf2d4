#!/usr/bin/perl

# What `nginx -t` says of azora_redis.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(slurp spew);
use Azora::Test;
use File::Temp qw(tempdir);
use Test::More;

my $dir = tempdir(CLEANUP => 1);
my ($module) = grep { /azora_module/ } split /\n/, Azora::Test::module_lines();


sub check {
    my ($directive) = @_;
    my $log = "$dir/log";

    unlink $log;
    spew("$dir/nginx.conf", "$module\n" . <<"CONF");
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
    $directive
}
CONF

    my @command = (Azora::Test::nginx_binary(), '-t', '-p', "$dir/", '-e',
                   $log, '-c', "$dir/nginx.conf");
    local $ENV{ASAN_OPTIONS} = 'detect_leaks=0:detect_odr_violation=0';
    my $status = Azora::Process::run_to_file("$dir/out", $dir, @command);

    return ($status, slurp("$dir/out") . slurp($log));
}


spew("$dir/password", "secret\n");
spew("$dir/empty", "\n");
spew("$dir/long", 'x' x 2000);

for my $right ("unix:$dir/redis.sock", '127.0.0.1:6379', '[::1]:6379',
               'localhost', "127.0.0.1 password_file=$dir/password",
               '127.0.0.1 password_file=password')
{
    my ($status, $said) = check("azora_redis $right;");
    is $status, 0, "taken: $right" or diag $said;
}

my @wrong = (
    ['127.0.0.1:99999', qr/invalid port/],
    ['unix:', qr/address of Redis|no path/],
    ['127.0.0.1 colour=red', qr/"colour=red"/],
    ["127.0.0.1 password_file=$dir/none", qr/none" failed/],
    ["127.0.0.1 password_file=$dir/empty", qr/must hold the password/],
    ["127.0.0.1 password_file=$dir/long", qr/must hold the password/],
    ["unix:$dir/redis.sock tls", qr/"azora_redis" (?:takes|cannot use) "tls"/],
    ['127.0.0.1; azora_redis 127.0.0.1', qr/is duplicate/],
);

for my $case (@wrong) {
    my ($arguments, $expected) = @$case;
    my ($status, $said) = check("azora_redis $arguments;");

    ok $status != 0, "refused: $arguments";
    like $said, $expected, 'and the reason is given';
    unlike $said, qr/x{100}/, 'without what the file holds';
}

# TLS needs a hiredis of its own, and the answer has to say so

my ($status, $said) = check('azora_redis 127.0.0.1:6379 tls;');

if ($status) {
    like $said, qr/built with a hiredis without TLS/,
        'without TLS in hiredis "tls" is refused with the reason';

} else {
    ($status, $said) = check("azora_redis 127.0.0.1 tls ca=$dir/none;");
    ok $status != 0, 'certificates that are not there are noticed';
    like $said, qr/TLS to Redis: /, 'and named';
}

done_testing;

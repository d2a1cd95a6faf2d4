#!/usr/bin/perl

# What `nginx -t` says of azora_redis.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Conf;
use Azora::Process qw(spew);
use Test::More;

my $conf = Azora::Conf->new;
my $dir = $conf->{dir};


spew("$dir/password", "secret\n");
spew("$dir/empty", "\n");
spew("$dir/long", 'x' x 2000);

for my $right ("unix:$dir/redis.sock", '127.0.0.1:6379', '[::1]:6379',
               'localhost', "127.0.0.1 password_file=$dir/password",
               '127.0.0.1 password_file=password')
{
    my ($status, $said) = $conf->check("azora_redis $right;");
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
    my ($status, $said) = $conf->check("azora_redis $arguments;");

    ok $status != 0, "refused: $arguments";
    like $said, $expected, 'and the reason is given';
    unlike $said, qr/x{100}/, 'without what the file holds';
}

# TLS needs a hiredis of its own, and the answer has to say so

my ($status, $said) = $conf->check('azora_redis 127.0.0.1:6379 tls;');

if ($status) {
    like $said, qr/built with a hiredis without TLS/,
        'without TLS in hiredis "tls" is refused with the reason';

} else {
    ($status, $said) = $conf->check("azora_redis 127.0.0.1 tls ca=$dir/none;");
    ok $status != 0, 'certificates that are not there are noticed';
    like $said, qr/TLS to Redis: /, 'and named';
}

done_testing;

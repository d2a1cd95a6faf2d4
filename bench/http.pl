# What the core costs on requests that need no database: one worker, so that
# the load generator has a processor of its own.

use strict;
use warnings;

use Azora::Bench;
use Azora::Test;

my $body = '{"message":"The quick brown fox jumps over it"}';

my $azora = Azora::Test->start(
    workers => 1,
    http => 'azora_limit_zone name=bench size=4m;',
    server => qq{
        location = /bench/return {
            access_log off;
            default_type application/json;
            return 200 '$body';
        }

        location = /bench/plain {
            access_log off;
            azora_status livez;
        }

        location = /bench/token {
            azora_auth required;
            azora_limit zone=bench key=subject rate=1000000r/s;
            azora_status livez;
        }
    },
);

my $base = "http://127.0.0.1:$azora->{port}";
my $token = $azora->user('amina')->{token};

my $limit = sub { return scalar wrk($base, path => '/bench/return', @_) };

compare('http-plain',
        sub { return scalar wrk($base, path => '/bench/plain', @_) },
        $limit, target => 0.95,
        note => 'JSON without authentication against return 200');

compare('http-token',
        sub { return scalar wrk($base, path => '/bench/token',
                                token => $token, @_) },
        $limit, target => 0.90,
        note => 'cached token, limit, metrics and a log line against '
                . 'return 200 without any');

1;

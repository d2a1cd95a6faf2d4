# An authenticated read of a wallet over HTTP, with its rate limit, metrics and
# log line, against the same query in pgbench and against Express with Prisma.

use strict;
use warnings;

use Azora::Bench;
use Azora::Test;

my $azora = Azora::Test->start(workers => 2, limits => <<'END');
azora_limit zone=user key=subject rate=1000000r/s;
END

my $base = "http://127.0.0.1:$azora->{port}";
my $amina = $azora->user('amina');

$azora->sql(q{INSERT INTO ledger.account (owner, kind, currency)
              VALUES (?, 'wallet', 'AZR') ON CONFLICT DO NOTHING},
            $amina->{id});

my $ours = sub {
    return scalar wrk($base, path => '/v1/wallets/AZR',
                      token => $amina->{token}, threads => 1, @_);
};

my $query = <<"END";
SELECT status, body, etag, location FROM ledger.get_wallet(
    caller => '($amina->{id},,"{learner}",,,,,,)'::azora.caller,
    "currency" => 'AZR'::text);
END

compare('read-pgbench', $ours,
        sub { return pgbench($azora, $query, clients => 8, @_) },
        target => '0.8, then 1.0',
        note => 'GET /v1/wallets/AZR at 64 connections against pgbench '
                . 'prepared at 8 clients');


# The peer: HS256 instead of ES256, no limit, no metrics, no log.
my $port = peer($azora, 'read.mjs');
my $token = hs256_token($amina->{id});

compare('read-prisma', $ours, sub {
    return scalar wrk("http://127.0.0.1:$port", path => '/v1/wallets/AZR',
                      token => $token, threads => 1, @_);
}, target => 15, note => 'against Express 5 with Prisma, two processes');

1;

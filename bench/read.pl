# An authenticated read of a wallet over HTTP, with its rate limit, metrics and
# log line, against the same query in pgbench and against Express with Prisma.

use strict;
use warnings;

use Azora::Bench;
use Azora::Test;
use FindBin;
use IO::Socket::INET;
use Azora::Process qw(poll_until);
use MIME::Base64 qw(encode_base64url);
use Digest::SHA qw(hmac_sha256);

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

sub hs256_token {
    my ($subject, $secret) = @_;
    my $signed = join '.', map { encode_base64url($_) }
        '{"alg":"HS256","typ":"JWT"}',
        sprintf '{"sub":"%s","exp":%d}', $subject, time + 3600;

    return "$signed." . encode_base64url(hmac_sha256($signed, $secret));
}

my $probe = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
    or die "no free port: $!\n";
my $port = $probe->sockport;
close $probe;

my $peers = "$FindBin::RealBin/peers";
system("$peers/setup") == 0 or die "bench/peers/setup failed\n";

my $secret = 'bench-secret-bench-secret-bench-1';
my $sockets = $azora->{postgres_sockets} =~ s{([^A-Za-z0-9])}
                                             {sprintf '%%%02X', ord $1}egr;

background({
    PORT => $port, SECRET => $secret, NODE_ENV => 'production',
    DATABASE_URL => "postgresql://postgres\@localhost/$azora->{database}"
                    . "?host=$sockets",
}, 'node', "$peers/read.mjs");

poll_until(20, sub {
    return IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
}) or die "the peer does not listen\n";

my $token = hs256_token($amina->{id}, $secret);

compare('read-prisma', $ours, sub {
    return scalar wrk("http://127.0.0.1:$port", path => '/v1/wallets/AZR',
                      token => $token, threads => 1, @_);
}, target => 15, note => 'against Express 5 with Prisma, two processes');

1;

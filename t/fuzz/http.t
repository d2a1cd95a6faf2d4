# Mutated requests on the wire: each is answered with something below 500 or
# the connection ends; the workers live on.  AZORA_FUZZ_SEED=n repeats a run.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use Azora::Echo;

my $seed = $ENV{AZORA_FUZZ_SEED} || time % 1_000_000 | 0;
my $seconds = $ENV{AZORA_FUZZ_SECONDS} || 6;

srand $seed;
diag "AZORA_FUZZ_SEED=$seed";

my $azora = Azora::Echo->start;
my @workers = $azora->worker_pids;

my $json = '{"text":"caf\u00e9","count":-3,"amount":"1.5","tags":["a","b"],'
    . '"items":[{"title":"t","amount":"2"}],"answers":{"q":[1,2.5,null]}}';

my @requests = (
    "POST /echo/all/a-slug?limit=20&cursor=abc%2B HTTP/1.1\r\nHost: a\r\n"
        . "Content-Type: application/json; charset=utf-8\r\n"
        . 'Content-Length: ' . length($json) . "\r\n\r\n$json",
    "POST /echo/one HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n"
        . "8\r\n{\"text\":\r\n4\r\n\"ab\"\r\n1\r\n}\r\n0\r\n\r\n",
    "GET /echo/text/caf%C3%A9%20x HTTP/1.1\r\nHost: a\r\n"
        . "Authorization: Bearer a.b.c\r\nAccept: */*\r\n"
        . "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-"
        . "00f067aa0ba902b7-01\r\n\r\n",
    "OPTIONS /echo/by/name HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET /v1/courses?limit=2 HTTP/1.1\r\nHost: a\r\n"
        . "If-None-Match: \"a\", W/\"b\"\r\nX-Request-Id: abc-123\r\n\r\n",
    "POST /v1/auth/login HTTP/1.1\r\nHost: a\r\n"
        . "Content-Type: application/json\r\nContent-Length: 2\r\n"
        . "Idempotency-Key: \"k\"\r\n\r\n{}",
    "DELETE /echo/none HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
);

my @pieces = (
    "\0", "\r\n", "\n", "\r", ' ', "\t", '%', '%00', '%2F', '%ff', '/', '..',
    '?', '&', '=', '#', '{', '}', '[', '"', '\\', ':', ',', '\u0000', "\xff",
    'chunked', 'Content-Length: 5', '99999999999999999999', '-1', '0',
    'HTTP/1.0', 'HTTP/2.0', "\x16\x03\x01", 'PRI * HTTP/2.0', 'a' x 300,
);


sub mutate {
    my ($bytes) = @_;

    for (1 .. rand 5) {
        my $at = int rand(1 + length $bytes);
        my $kind = int rand 5;

        if ($kind == 0) {
            substr $bytes, $at, 1, chr int rand 256;
        } elsif ($kind == 1) {
            substr $bytes, $at, 0, $pieces[rand @pieces];
        } elsif ($kind == 2) {
            substr $bytes, $at, int(rand 12), '';
        } elsif ($kind == 3) {
            substr $bytes, $at, 0, substr $bytes, rand length $bytes, rand 40;
        } else {
            $bytes = substr $bytes, 0, $at;
        }
    }

    return $bytes;
}


# The statuses of all answers to the bytes; undef when the end does not come.
sub answers_to {
    my ($bytes) = @_;
    my $http = $azora->connect;

    $http->write($bytes);
    $http->shutdown_write;
    return $http->closed(10 * $azora->patience)
        ? [$http->{buffer} =~ m{^HTTP/1\.[01] (\d{3})}mg] : undef;
}


my (%statuses, $count, $bad);
my $end = time + $seconds;

while (time < $end && !$bad) {
    my $bytes = mutate($requests[rand @requests]);
    my $statuses = answers_to($bytes);

    $count++;
    $statuses{$_}++ for @{ $statuses || [] };

    # NGINX says 501 and 505 of codings and versions it does not know
    if (!$statuses || grep { $_ >= 500 && $_ != 501 && $_ != 505 } @$statuses)
    {
        $bad = sprintf '%s: %s', $statuses ? "@$statuses" : 'no end',
            $bytes =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
    }
}

diag "$count requests: ", join ', ',
    map { "$_ x $statuses{$_}" } sort keys %statuses;

ok !$bad, 'every request was answered, and none with a failure' or diag $bad;
cmp_ok $statuses{200} || 0, '>', $count / 100, 'some were right';
cmp_ok $statuses{400} || 0, '>', $count / 100, 'some were wrong';
is_deeply [$azora->worker_pids], \@workers, 'the same workers as before';
is $azora->get('/echo/by/name')->{status}, 200, 'they still answer';

done_testing;

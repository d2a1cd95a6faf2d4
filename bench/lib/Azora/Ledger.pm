package Azora::Ledger;

# A ledger with a past, and requests that move its money.

use strict;
use warnings;

use Azora::Process qw(slurp spew);
use Azora::Token;
use Exporter 'import';
use Time::HiRes qw(sleep);

our @EXPORT = qw(seed owner requests single_transfer usage per_transfer);

my $SENDERS = 256;
my $HOT = $SENDERS + 1;


# The i-th owner, from 1.
sub owner {
    my ($i) = @_;
    return sprintf '019a0000-0000-7000-8000-%012x', $i;
}

my $OWNER = q{('019a0000-0000-7000-8000-' || lpad(to_hex(%s), 12, '0'))};


# Gives accounts wallets of 10,000 AZR and then lets each pay the next, round
# after round, until there are so many postings.  Set-based: 20 million take a
# few minutes.  It is checked with ledger.verify() by whoever doubts it.
sub seed {
    my ($azora, $accounts, $postings) = @_;
    my $dbh = $azora->dbh;
    my $owner = sprintf $OWNER, 'g';

    $dbh->do('SET synchronous_commit = off');
    $dbh->do("INSERT INTO identity.account (id, email, name)
              SELECT $owner\::uuid, 'bench' || g || '\@example.org', 'Bench'
              FROM generate_series(1, $accounts) AS g");
    $dbh->do("INSERT INTO ledger.account (owner, kind, currency)
              SELECT $owner\::uuid, 'wallet', 'AZR'
              FROM generate_series(1, $accounts) AS g");
    $dbh->do('CREATE TEMPORARY TABLE bench AS
              SELECT a.id, row_number() OVER (ORDER BY a.id) AS i
              FROM ledger.account AS a
              WHERE a.owner IN (SELECT id FROM identity.account
                                WHERE name = \'Bench\')');

    issue($dbh, 1_000_000_000_000);

    my $rounds = int(($postings / 2 - $accounts) / $accounts);
    pay_round($dbh, $_, $accounts, 1000) for 1 .. $rounds;

    $dbh->do('UPDATE ledger.account AS a SET sequence = 1 + 2 * ?
              FROM bench AS b WHERE a.id = b.id', undef, $rounds)
        if $rounds > 0;
    $dbh->do('VACUUM ANALYZE');
    run_in($dbh);
}


# A server that has run for a while has files of the log to use again; a new
# one writes each of them twice.
sub run_in {
    my ($dbh) = @_;

    for (1 .. 60) {
        $dbh->do('SELECT pg_switch_wal()');
        $dbh->do('SELECT txid_current()');
    }
    $dbh->do('CHECKPOINT');
}


sub issue {
    my ($dbh, $minor) = @_;

    $dbh->do(q{
        INSERT INTO ledger.transfer
            (id, debit, debit_seq, debit_balance, credit, credit_seq,
             credit_balance, amount, created_at, currency, kind)
        SELECT gen_random_uuid(), h.id, h.sequence + b.i,
               h.balance - b.i * ?::bigint, b.id, 1, ?, ?,
               now() - interval '31 days', 'AZR', 'issue'
        FROM bench AS b
             CROSS JOIN ledger.account AS h
        WHERE h.kind = 'issuance' AND h.currency = 'AZR'
    }, undef, ($minor) x 3);
    $dbh->do(q{UPDATE ledger.account AS a SET balance = ?, sequence = 1
               FROM bench AS b WHERE a.id = b.id}, undef, $minor);
    $dbh->do(q{
        UPDATE ledger.account AS a
        SET floor = least(a.floor, a.balance - ?::bigint * s.n),
            balance = a.balance - ?::bigint * s.n,
            sequence = a.sequence + s.n
        FROM (SELECT count(*) AS n FROM bench) AS s
        WHERE a.kind = 'issuance' AND a.currency = 'AZR'
    }, undef, ($minor) x 2);
}


# Wallet i pays the one `round` places on, then is paid itself.
sub pay_round {
    my ($dbh, $round, $accounts, $minor) = @_;

    $dbh->do(q{
        INSERT INTO ledger.transfer
            (id, debit, debit_seq, debit_balance, credit, credit_seq,
             credit_balance, amount, created_at, currency, kind, recipient,
             key, payload_hash)
        SELECT overlay(gen_random_uuid()::text
                       PLACING s.prefix FROM 1 FOR 18)::uuid,
               d.id, 2 * s.round, 1e12::bigint - s.minor, c.id,
               2 * s.round + 1, 1e12::bigint, s.minor, s.at, 'AZR',
               'transfer', } . sprintf($OWNER, 'c.i') . q{,
               gen_random_uuid()::text, repeat('ab', 32)
        FROM (SELECT m.round, m.accounts, m.minor, m.at,
                     azora.uuid7_prefix(m.at) AS prefix
              FROM (SELECT ?::bigint AS round, ?::bigint AS accounts,
                           ?::bigint AS minor,
                           now() - interval '30 days' + ? * interval '1 hour'
                               AS at) AS m
              OFFSET 0) AS s
             CROSS JOIN bench AS d
             JOIN bench AS c ON c.i = (d.i + s.round - 1) % s.accounts + 1
    }, undef, $round, $accounts, $minor, $round);
}


# A file for bench/load.c: 256 people, one a connection, pay others among the
# first accounts.  Options: hot (all pay one), token (sub that makes one).
sub requests {
    my ($azora, $accounts, %opts) = @_;
    my ($pem) = glob "$azora->{dir}/keys/*.pem";
    my $kid = Azora::Token::jwk($pem)->{kid};
    my $make = $opts{token} || sub {
        return Azora::Token::make($pem, kid => $kid, claims => {
            sub => $_[0], exp => time + 36000,
            scope => 'wallet:read wallet:write' });
    };

    my @tokens = map { $make->(owner($_)) } 1 .. $SENDERS;
    my $text = '';

    for my $n (0 .. 40 * $SENDERS - 1) {
        my $to = owner($opts{hot} ? $HOT
                       : $HOT + 1 + int rand($accounts - $HOT));
        my $body = sprintf '{"to":"%s","amount":"0.%02d"}', $to,
            1 + int rand 99;
        my $request = join "\r\n", 'POST /v1/wallets/AZR/transfers HTTP/1.1',
            'Host: azora.test', "Authorization: Bearer $tokens[$n % $SENDERS]",
            'Idempotency-Key: ' . '#' x 32, 'Content-Type: application/json',
            'Content-Length: ' . length $body, '', $body;
        $text .= length($request) . "\n$request\n";
    }

    my $file = "$azora->{dir}/requests" . ($opts{hot} ? '-hot' : '')
        . ($opts{token} ? '-peer' : '');
    spew($file, $text);

    return $file;
}


# The same transfers one by one, for pgbench.
sub single_transfer {
    my ($accounts, %opts) = @_;
    my $from = sprintf $OWNER, ':s::bigint';
    my $to = sprintf $OWNER, ':r::bigint';
    my $first = $HOT + ($opts{hot} ? 0 : 1);
    my $last = $opts{hot} ? $HOT : $accounts;

    return <<"END";
\\set s random(1, $SENDERS)
\\set r random($first, $last)
SELECT status, body, etag, location FROM ledger.transfer(
    caller => ROW($from\::uuid, NULL, '{learner}', 'bench',
                  '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
                  '127.0.0.1', 'POST /v1/wallets/{currency}/transfers',
                  gen_random_uuid()::text, repeat('ab', 32))::azora.caller,
    currency => 'AZR', "to" => $to, amount => '0.01');
END
}


# What PostgreSQL has needed so far: ticks of processor time by process,
# flushes of its log; and the transfers it got.
sub usage {
    my ($azora) = @_;
    my ($postmaster) = slurp("$azora->{postgres_dir}/postmaster.pid")
        =~ /^(\d+)/;
    my %ticks;

    for my $file (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $file or next;
        my ($pid, $rest) = (<$in> // '') =~ /^(\d+) \(.*\) (.*)/s or next;
        my @fields = split ' ', $rest;
        $ticks{$pid} = $fields[11] + $fields[12]
            if $fields[1] == $postmaster;
    }

    # each process reports its flushes a second after the fact at the latest
    sleep 1.2;

    return { ticks => \%ticks,
             syncs => $azora->value('SELECT wal_sync FROM pg_stat_wal'),
             transfers => $azora->value(q{
                 SELECT count(*) FROM ledger.transfer WHERE recipient
                 IS NOT NULL AND created_at > now() - interval '1 day'}) };
}


# Microseconds of processor time and flushes for each transfer between two of
# usage(), of the processes that lived at both.
sub per_transfer {
    my ($before, $after) = @_;
    my $n = $after->{transfers} - $before->{transfers};
    my $ticks = 0;

    $ticks += $after->{ticks}{$_} - $before->{ticks}{$_}
        for grep { defined $before->{ticks}{$_} } keys %{ $after->{ticks} };

    return (1e4 * $ticks / $n, ($after->{syncs} - $before->{syncs}) / $n);
}


1;

#!/usr/bin/env perl

# A bank for some seconds: clients move money at random between accounts, over
# two nodes with one database, while workers, whole nodes and PostgreSQL are
# killed with SIGKILL.  Each request is a success, a failure or unknown; at the
# end what was acknowledged is there once, what was refused is not there, and
# what is unknown is settled by repeating its key.
#
#     BANK_SECONDS=60 BANK_SEED=... prove -v -It/lib t/bank/bank.t

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Digest::MD5 qw(md5);
use Time::HiRes qw(sleep time);

use Azora::Load;
use Azora::Process qw(alive children poll_until slurp);
use Azora::Story qw(fund is_sound);
use Azora::Test;
use Test::More;

my $SECONDS = $ENV{BANK_SECONDS} || 12;
my $SEED = $ENV{BANK_SEED} || int rand 1e9;
my $CLIENTS = 6;
my $EACH = 10_000_000_000;      # 100 AZR for everybody

diag("BANK_SEED=$SEED BANK_SECONDS=$SECONDS");

my @alerts = (expect_alert => qr{exited\ on\ signal\ 9|open\ socket\ \#\d+
                                 |zone\ .*\ was\ locked}x);
my $first = Azora::Test->start(workers => 2, postgres => 'own', @alerts);
# another node with files of its own and the first one's database
my $second = Azora::Test->start(workers => 1, redis => 0, @alerts, edit => sub {
    my $dir = $first->{dir};
    s{[^"\s;]*/secrets/postgres\.conf}{$dir/secrets/postgres.conf}g;
    s{(azora_chronicle_key\s+)"[^"]*"}{$1"$dir/keys/chronicle.key"};
});
my @nodes = ($first, $second);
my @people = map { $first->user("person$_") } 0 .. 9;
fund($first, $_, 'AZR', $EACH) for @people;


# Numbers that only the seed, the client and the turn decide, so that a repeat
# asks the same.
sub dice {
    my ($n, $i) = @_;
    my @dice = unpack 'L*', md5("$SEED $n $i");
    my $from = $dice[0] % @people;
    my $to = ($from + 1 + $dice[1] % (@people - 1)) % @people;
    my $minor = 1 + $dice[2] % ($dice[3] % 4 ? 1_000_000 : 9_000_000_000);

    return ($people[$from], $people[$to], $dice[3] >> 8,
            sprintf('%d.%08d', int($minor / 1e8), $minor % 1e8));
}


sub ask {
    my ($node, $who, $path, $key, $json) = @_;
    return eval {
        $node->post($path, token => $who->{token}, key => $key,
                    timeout => 15, $json ? (json => $json) : ());
    };
}


# What became of one request: success, failure or unknown.
sub label {
    my ($r) = @_;
    return !$r || $r->{status} >= 500 ? 'unknown'
         : $r->{status} < 300 ? 'success' : 'failure';
}


# One turn: mostly a transfer, sometimes three in one request that are all or
# none, sometimes a hold that its payee ends.
sub turn {
    my ($node, $n, $i) = @_;
    my ($from, $to, $kind, $amount) = dice($n, $i);
    my $key = "bank-$n-$i";

    if ($kind % 8 == 0) {
        return label(ask($node, $from, '/v1/transfers/batch', $key, {
            currency => 'AZR', atomic => \1, items => [map {
                { to => $to->{id}, amount => $amount, memo => $key }
            } 1 .. 3] }));
    }

    if ($kind % 8 == 1) {
        my $r = ask($node, $from, '/v1/holds', $key, {
            currency => 'AZR', to => $to->{id}, amount => $amount,
            memo => $key });
        return label($r) if label($r) ne 'success';

        my $end = $kind % 16 == 1 ? 'void' : 'post';
        return label(ask($node, $to, "/v1/holds/$r->{json}{id}/$end",
                         "$key-end"));
    }

    return label(ask($node, $from, '/v1/wallets/AZR/transfers', $key, {
        to => $to->{id}, amount => $amount, memo => $key }));
}


# Walks a whole statement by cursor, over restarts, while money arrives; reads
# the trial balance in between.
sub walk {
    my ($node, $n, $i) = @_;
    my $who = $people[$i % @people];
    my ($cursor, $above, $pages) = ('', undef, 0);

    while ($pages++ < 400) {
        my $r = eval { $node->get("/v1/wallets/AZR/statement?limit=100$cursor",
                                  token => $who->{token}, timeout => 15) };

        if (!$r || $r->{status} >= 500) {
            sleep 0.05;
            next;
        }

        for my $line (@{ $r->{json}{items} }) {
            my ($balance, $amount) = map { s/\.//r } @$line{qw(balance amount)};
            return "gap before $line->{seq}"
                if $above && ($line->{seq} != $above->{seq} - 1
                              || $balance != $above->{before});
            return "below zero at $line->{seq}" if $balance < 0;
            $above = { seq => $line->{seq}, before => $balance - $amount };
        }

        last if !defined $r->{json}{next};
        $cursor = "&cursor=$r->{json}{next}";
    }

    return "an end at $above->{seq}" if $above && $above->{seq} != 1;

    my $r = eval { $node->get('/v1/ledger/trial-balance', timeout => 15) };
    return 'walked' if !$r || $r->{status} >= 500;
    my ($azr) = grep { $_->{currency} eq 'AZR' } @{ $r->{json}{items} };
    return $azr->{sum} == 0 && $azr->{issued} eq $azr->{held}
           ? 'walked' : "out of balance: $azr->{issued} $azr->{held}";
}


my $load = Azora::Load->start($first, $CLIENTS, sub {
    my ($n, $i) = @_;
    my $outcome = turn($nodes[$i % 2], $n, $i);
    sleep 0.1 if $outcome eq 'unknown';
    return ($outcome, "$n-$i");
});
my $walks = Azora::Load->start($first, 1, sub {
    my ($n, $i) = @_;
    return walk($nodes[$i % 2], $n, $i);
});


sub kill_node {
    my ($node) = @_;
    my @pids = ($node->master_pid, $node->worker_pids);

    kill KILL => @pids;
    poll_until(10, sub { !grep { alive($_) } @pids })
        or die "a node does not die\n";
    $node->start_nginx;
}

sub kill_postgres {
    my ($postmaster) = slurp("$first->{postgres_dir}/postmaster.pid")
                       =~ /\A(\d+)/ or die "no postmaster\n";
    my @backends = children($postmaster);

    kill KILL => $postmaster;
    poll_until(20, sub { !grep { alive($_) } $postmaster, @backends })
        or die "PostgreSQL does not die\n";
    $first->start_postgres;
}

my %killed = (worker => 0, node => 0, postgres => 0);
my $end = time + $SECONDS;
my @turns = (worker => \&Azora::Test::kill_worker, postgres => \&kill_postgres,
             node => \&kill_node);

for (my $i = 0; time < $end; $i++) {
    sleep 0.5 + 0.1 * ($SEED % 7);
    my ($what, $code) = @turns[2 * ($i % 3), 2 * ($i % 3) + 1];
    $code->($nodes[int($i / 3) % 2]);
    $killed{$what}++;
}

my ($seen, $walked) = ($load->stop, $walks->stop);
$_->wait_ready(30) for @nodes;

note "killed: ", join ', ', map { "$_ $killed{$_}" } sort keys %killed;
note explain $seen->{kinds}, $walked->{kinds};

cmp_ok $killed{$_}, '>=', 1, "SIGKILL for a $_" for sort keys %killed;
is_deeply [grep { !/^(?:success|failure|unknown)$/ } keys %{ $seen->{kinds} }],
          [], 'nothing else happened';
cmp_ok $seen->{kinds}{success} // 0, '>', 50, 'much went well';
is_deeply [grep { $_ ne 'walked' } keys %{ $walked->{kinds} }], [],
          ($walked->{kinds}{walked} // 0) . ' walks without gap or imbalance';


# What is unknown is settled by repeating its key, and stays settled.
my %label = %{ $seen->{ids} };
my @unknown = grep { $label{$_} eq 'unknown' } sort keys %label;

for my $id (@unknown) {
    $label{$id} = turn($first, split /-/, $id);
}
is_deeply [grep { $label{$_} eq 'unknown' } @unknown], [],
          'repeating settles all ' . @unknown . ' unknown ones';


# Each acknowledged request had its one effect, each refused one none.
my %times = map { $_->{memo} => $_->{n} } $first->sql(
    q{SELECT memo, count(*) AS n FROM ledger.transfer
      WHERE memo LIKE 'bank-%' GROUP BY memo});
my %holds = map { $_->{memo} => $_ } $first->sql(
    q{SELECT memo, count(*) AS n, min(state) AS state FROM ledger.hold
      GROUP BY memo});
my (@lost, @twice, @undone);

for my $id (sort keys %label) {
    my (undef, undef, $kind) = dice(split /-/, $id);
    my $times = $times{"bank-$id"} || 0;
    my $hold = $holds{"bank-$id"};
    my $good = $kind % 8 == 0 ? 3 : $kind % 16 == 1 ? 0 : 1;

    if ($label{$id} eq 'success') {
        push @lost, $id if $times < $good
            || $kind % 8 == 1 && (!$hold || $hold->{state} ne
                                  ($good ? 'posted' : 'voided'));
    } else {
        push @undone, $id if $times || $hold;
    }
    push @twice, $id if $times > $good || $hold && $hold->{n} > 1;
}

is_deeply \@lost, [], 'what was acknowledged is there';
is_deeply \@twice, [], 'once';
is_deeply \@undone, [], 'what was refused is not';
is scalar(grep { !exists $label{ s/^bank-//r } } keys %times, keys %holds), 0,
   'and nothing that nobody asked for';

# A balance at a past time is what a replay up to it gives.
my ($differs, $asked) = (0, 0);

for my $who (@people[0 .. 2]) {
    for my $at (map { $_->{at} } $first->sql(q{
        SELECT azora.rfc3339(t.created_at) AS at
        FROM ledger.transfer AS t ORDER BY md5(t.id::text) LIMIT 8}))
    {
        my $json = $first->get("/v1/wallets/AZR?at=$at",
                               token => $who->{token})->{json};
        my $replayed = $first->value(q{
            SELECT coalesce(sum(p.amount), 0)
            FROM ledger.posting AS p
                 JOIN ledger.account AS a ON a.id = p.account
                 JOIN ledger.transfer AS t ON t.id = p.transfer
            WHERE a.owner = ? AND t.created_at <= ?}, $who->{id}, $at);
        $asked++;
        $differs++ if $json->{posted} =~ s/\.//r != $replayed;
    }
}
is "$asked $differs", '24 0', 'a past balance is a replay up to it';

is $first->value('SELECT sum(balance) FROM ledger.account'), 0,
   'all balances sum to zero';
is $first->value(q{SELECT sum(balance) FROM ledger.account
                   WHERE kind = 'wallet'}), $EACH * @people,
   'no money came or went';
is $first->value(q{SELECT count(*)
                   FROM ledger.posting AS p
                        JOIN ledger.account AS a ON a.id = p.account
                   WHERE a.kind = 'wallet' AND p.balance < a.floor}), 0,
   'no wallet was ever below its floor';
is $first->value(q{SELECT count(*) FROM journal.entry
                   WHERE type = 'payment.completed'}),
   $first->value(q{SELECT count(*) FROM ledger.transfer
                   WHERE kind = 'transfer'}), 'each transfer is an event';
is $first->value(q{SELECT count(*) FROM ledger.hold
                   WHERE state = 'pending'}), 0, 'no hold is left';
is_sound($first);

done_testing;

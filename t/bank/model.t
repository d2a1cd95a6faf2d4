#!/usr/bin/env perl

# Random stories against a small model of what money does: transfers, dry runs,
# repeats, lists that are all or none, holds, reversals, credit, frozen wallets,
# with a worker killed now and then.  Every answer and every balance must be
# what the model says.
#
#     MODEL_SEED=... MODEL_STEPS=5000 prove -It/lib t/bank/model.t

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Story qw(fund is_sound);
use Azora::Test;
use Test::More;

my $SEED = $ENV{MODEL_SEED} || int rand 1e9;
my $STEPS = $ENV{MODEL_STEPS} || 600;

diag("MODEL_SEED=$SEED MODEL_STEPS=$STEPS");
srand $SEED;

my $azora = Azora::Test->start(
    workers => 2,
    expect_alert => qr{exited\ on\ signal\ 9|open\ socket\ \#\d+
                       |zone\ .*\ was\ locked}x);
my @people = map { $azora->user("person$_") } 0 .. 4;

# The model: a wallet for each person, what can be given back, what is held.
my @wallet = map { { balance => 1_000_000, held => 0, credit => 0,
                     frozen => 0 } } @people;
my (@transfers, @holds, @answered);
my $keys = 0;

fund($azora, $_, 'AZR', 1_000_000) for @people;


sub available {
    my ($who) = @_;
    return $wallet[$who]{balance} - $wallet[$who]{held}
           + $wallet[$who]{credit};
}

sub text { return sprintf '%d.%08d', int($_[0] / 1e8), $_[0] % 1e8 }

sub amount_for {
    my ($who) = @_;
    my $most = available($who);
    return 1 + int rand 1000 if rand() < 0.3 || $most < 2;
    return $most + int(rand 3) - 1 if rand() < 0.2;     # at the very edge
    return 1 + int rand $most;
}

sub pair {
    my $from = int rand @people;
    return ($from, ($from + 1 + int rand(@people - 1)) % @people);
}

sub frozen { return grep { $wallet[$_]{frozen} } @_ }

sub move {
    my ($from, $to, $minor) = @_;
    $wallet[$from]{balance} -= $minor;
    $wallet[$to]{balance} += $minor;
}

sub ask {
    my ($who, $path, $json, $key) = @_;
    return $azora->post($path, token => $people[$who]{token},
                        key => $key // 'model-' . ++$keys,
                        $json ? (json => $json) : ());
}

# The name of the problem, or the status.
sub outcome {
    my ($r) = @_;
    return $r->{status} < 300 ? $r->{status}
         : ($r->{json}{type} // $r->{status}) =~ s{^/problems/}{}r;
}


# What a transfer would be, and what one that is good does.
sub predict {
    my ($from, $to, $minor) = @_;
    return $from == $to ? 'same-account'
         : frozen($from, $to) ? 'account-frozen'
         : available($from) < $minor ? 'insufficient-funds' : 201;
}

my %step = (
    transfer => sub {
        my ($from, $to) = pair();
        $to = $from if rand() < 0.03;
        my $minor = amount_for($from);
        my $expected = predict($from, $to, $minor);
        my $key = 'model-' . ++$keys;
        my %json = (to => $people[$to]{id}, amount => text($minor));
        my $r = ask($from, '/v1/wallets/AZR/transfers', \%json, $key);

        if ($expected eq '201') {
            move($from, $to, $minor);
            push @transfers, { id => $r->{json}{id}, from => $from,
                               to => $to, left => $minor };
            push @answered, [$from, $key, \%json, $r->{body}];
        }
        return ($expected, $r);
    },

    dry_run => sub {
        my ($from, $to) = pair();
        my $minor = amount_for($from);
        my $expected = predict($from, $to, $minor);
        return ($expected eq '201' ? 200 : $expected,
                ask($from, '/v1/wallets/AZR/transfers',
                    { to => $people[$to]{id}, amount => text($minor),
                      dry_run => \1 }));
    },

    repeat => sub {
        my $old = $answered[rand @answered] or return;
        my ($from, $key, $json, $body) = @$old;
        my $r = ask($from, '/v1/wallets/AZR/transfers', $json, $key);
        return ($body, { %$r, status => 200 + 0,
                         same => $r->{body} });
    },

    conflict => sub {
        my $old = $answered[rand @answered] or return;
        my ($from, $key, $json) = @$old;
        return ('idempotency-conflict',
                ask($from, '/v1/wallets/AZR/transfers',
                    { %$json, memo => 'another' }, $key));
    },

    list => sub {
        my ($from) = pair();
        my $atomic = rand() < 0.5;
        my @saved = map { { %$_ } } @wallet;
        my (@items, @expected, @made);

        for (0 .. int rand 5) {
            my $to = rand() < 0.05 ? $from : (pair())[1];
            my $minor = rand() < 0.8 ? 1 + int rand 2000 : amount_for($from);
            my $expected = predict($from, $to, $minor);
            push @items, { to => $people[$to]{id}, amount => text($minor) };
            push @expected, $expected;
            next if $expected ne '201';
            move($from, $to, $minor);
            push @made, [$#items, $to, $minor];
        }

        my ($bad) = grep { $_ ne '201' } @expected;
        my $r = ask($from, '/v1/transfers/batch', {
            currency => 'AZR', items => \@items,
            atomic => $atomic ? \1 : \0 });

        if ($atomic && defined $bad) {
            @wallet = @saved;
            return ($bad, $r);
        }

        push @transfers, map { { id => $r->{json}{items}[$_->[0]]{transfer}
                                       {id}, from => $from, to => $_->[1],
                                 left => $_->[2] } } @made;
        return (join(' ', @expected), { %$r, same => join ' ', map {
            ($_->{type} // $_->{status}) =~ s{^/problems/}{}r
        } @{ $r->{json}{items} } });
    },

    hold => sub {
        my ($from, $to) = pair();
        my $minor = amount_for($from);
        my $expected = frozen($from, $to) ? 'account-frozen'
            : available($from) < $minor ? 'insufficient-funds' : 201;
        my $r = ask($from, '/v1/holds', { currency => 'AZR',
            to => $people[$to]{id}, amount => text($minor) });

        if ($expected eq '201') {
            $wallet[$from]{held} += $minor;
            push @holds, { id => $r->{json}{id}, from => $from, to => $to,
                           amount => $minor, pending => 1 };
        }
        return ($expected, $r);
    },

    post => sub {
        my $hold = $holds[rand @holds] or return;
        my $minor = rand() < 0.3 ? undef : 1 + int rand $hold->{amount} * 1.2;
        my $expected = !$hold->{pending} ? 'wrong-state'
            : ($minor // 0) > $hold->{amount} ? 'amount-out-of-range'
            : frozen(@$hold{qw(from to)}) ? 'account-frozen' : 200;
        my $r = ask($hold->{to}, "/v1/holds/$hold->{id}/post",
                    defined $minor ? { amount => text($minor) } : undef);

        if ($expected eq '200') {
            $minor //= $hold->{amount};
            $hold->{pending} = 0;
            $wallet[$hold->{from}]{held} -= $hold->{amount};
            move(@$hold{qw(from to)}, $minor);
            push @transfers, { id => $r->{json}{transfer},
                               from => $hold->{from}, to => $hold->{to},
                               left => $minor };
        }
        return ($expected, $r);
    },

    void => sub {
        my $hold = $holds[rand @holds] or return;
        my $expected = $hold->{pending} ? 200 : 'wrong-state';
        $wallet[$hold->{from}]{held} -= $hold->{amount} if $hold->{pending};
        $hold->{pending} = 0;
        return ($expected, ask($hold->{to}, "/v1/holds/$hold->{id}/void"));
    },

    reverse => sub {
        my $old = $transfers[rand @transfers] or return;
        my $minor = rand() < 0.3 ? undef : 1 + int rand $old->{left} + 3;
        my $wanted = $minor // $old->{left};
        my $expected = !$old->{left} || $wanted > $old->{left}
                ? 'reversal-exceeds'
            : frozen(@$old{qw(from to)}) ? 'account-frozen'
            : available($old->{to}) < $wanted ? 'insufficient-funds' : 201;
        my $r = ask($old->{to}, "/v1/transfers/$old->{id}/reversal",
                    defined $minor ? { amount => text($minor) } : {});

        if ($expected eq '201') {
            $old->{left} -= $wanted;
            move(@$old{qw(to from)}, $wanted);
        }
        return ($expected, $r);
    },

    credit => sub {
        my ($who) = pair();
        my $credit = int rand 50_000;
        return if $wallet[$who]{balance} - $wallet[$who]{held} < -$credit;
        $wallet[$who]{credit} = $credit;
        $azora->sql(q{UPDATE ledger.account SET floor = ? WHERE owner = ?
                      AND currency = 'AZR'}, -$credit, $people[$who]{id});
        return;
    },

    freeze => sub {
        my ($who) = pair();
        $wallet[$who]{frozen} = rand() < 0.2 ? 1 : 0;
        $azora->sql(q{UPDATE ledger.account SET frozen = ? WHERE owner = ?
                      AND currency = 'AZR'}, $wallet[$who]{frozen},
                    $people[$who]{id});
        return;
    },
);

my @kinds = (('transfer') x 6, ('list') x 3, ('hold') x 4, ('post') x 3,
             ('void') x 1, ('reverse') x 3, ('dry_run') x 2, 'repeat',
             'conflict', 'credit', ('freeze') x 2);


sub balances {
    return join ' ', map { "$_->{balance}/$_->{held}" }
        map { my $who = $_; $azora->sql(
            q{SELECT balance, held FROM ledger.account
              WHERE owner = ? AND currency = 'AZR'}, $who->{id}) } @people;
}

my (%done, @wrong);

for my $i (1 .. $STEPS) {
    my $kind = $kinds[rand @kinds];
    my ($expected, $r) = $step{$kind}->();
    my $model = join ' ', map { "$_->{balance}/$_->{held}" } @wallet;

    if (defined $expected) {
        my $got = $r->{same} // outcome($r);
        $done{$kind}{ $r->{same} ? 'as before' : $got }++;
        push @wrong, "step $i, $kind: $got instead of $expected"
            if $got ne $expected;
    }

    my $books = balances();
    push @wrong, "step $i, $kind: $books instead of $model"
        if $books ne $model;
    last if @wrong;

    $azora->kill_worker if $i % int($STEPS / 3) == 0;
}

is_deeply \@wrong, [], "$STEPS steps as the model says";
note explain \%done;
ok $done{$_}, "among them $_" for grep { !/credit|freeze/ } sort keys %step;
is_sound($azora);

for my $who (0 .. $#people) {
    is $azora->value(q{
        SELECT sum(p.amount) FROM ledger.posting AS p
             JOIN ledger.account AS a ON a.id = p.account
        WHERE a.owner = ? AND a.currency = 'AZR'}, $people[$who]{id}),
       $wallet[$who]{balance}, "the postings of $people[$who]{name}";
}

done_testing;

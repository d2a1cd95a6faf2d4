#!/usr/bin/env perl

# Every movement is an event, and its receipt can be checked without a server:
# transfers, holds and how they end, what is issued and burned, what is given
# back, an exchange with its fee, a reward.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Chronicle qw(verify vkey_file);
use Azora::HTTP;
use Azora::Process qw(poll_until spew);
use Azora::Story qw(finish_course right_answers);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 1);
my $ruth = $azora->user('ruth', roles => ['admin']);
my ($amina, $baraka, $chidi, $dede) = map { $azora->user($_) }
                                      qw(amina baraka chidi dede);
my @amina = (token => $amina->{token});
my @baraka = (token => $baraka->{token});
my @dede = (token => $dede->{token});
my $keys = 0;

sub ask {
    my ($who, $path, $json) = @_;
    my $r = $azora->post($path, @$who, key => 'key-' . ++$keys,
                         $json ? (json => $json) : ());
    cmp_ok $r->{status}, '<', 300, "POST $path" or diag $r->{body};
    return $r->{json};
}

ask([token => $ruth->{token}], '/v1/admin/ledger/mints', {
    to => $amina->{id}, currency => 'AZR', amount => '10', reason => 'x' });
ask([token => $ruth->{token}], '/v1/admin/ledger/burns', {
    from => $amina->{id}, currency => 'AZR', amount => '1', reason => 'x' });
my $paid = ask(\@amina, '/v1/wallets/AZR/transfers', {
    to => $baraka->{id}, amount => '3' });
my $listed = ask(\@amina, '/v1/transfers/batch', { currency => 'AZR',
    items => [{ to => $chidi->{id}, amount => '0.5' }] })
    ->{items}[0]{transfer};
my @holds = map { ask(\@amina, '/v1/holds', {
    to => $baraka->{id}, currency => 'AZR', amount => '1' }) } 1 .. 3;
ask(\@baraka, "/v1/holds/$holds[0]{id}/post", { amount => '0.5' });
ask(\@baraka, "/v1/holds/$holds[1]{id}/void");
$azora->sql('UPDATE ledger.hold SET expires_at = now() WHERE id = ?',
            $holds[2]{id});
my $back = ask(\@baraka, "/v1/transfers/$paid->{id}/reversal", {
    amount => '1' });

# an exchange with a fee
$azora->sql(q{SELECT ledger.set_floor(ledger.house('exchange', 'KES'),
                                      -1000000)});
$azora->sql(q{INSERT INTO ledger.rate VALUES
    ('AZR', 'KES', 12.5, 100, now() + interval '1 hour')});
my $quote = ask(\@amina, '/v1/fx/quotes', {
    sell => 'AZR', buy => 'KES', amount => '2' });
my $moved = ask(\@amina, "/v1/fx/quotes/$quote->{id}/exchange")->{transfers};
is scalar @$moved, 3, 'given, got and the fee';

# a reward
my $course = finish_course($azora, $dede, 'mobile-money-safety');
my $attempt = $azora->post("/v1/quizzes/$course->{quiz}{id}/attempts", @dede)
              ->{json};
ask(\@dede, "/v1/attempts/$attempt->{id}/submission", {
    answers => right_answers($azora, $attempt) });

# whose receipts, and what each has to name
my %whose = ('ledger.mint' => [\@amina], 'ledger.burn' => [\@amina],
             'payment.completed' => [\@amina, $paid->{id}, $listed->{id}],
             'hold.placed' => [\@amina, map { $_->{id} } @holds],
             'hold.posted' => [\@amina, $holds[0]{id}],
             'hold.voided' => [\@amina, $holds[1]{id}],
             'hold.expired' => [\@amina, $holds[2]{id}],
             'payment.reversed' => [\@baraka, $back->{id}, $paid->{id}],
             'fx.exchanged' => [\@amina, $quote->{id}, @$moved],
             'reward.posted' => [\@dede, $dede->{id}]);
my $key = vkey_file($azora);
my $file = "$azora->{dir}/receipt.json";

# The receipts of somebody's events of a type, once there are so many.
sub receipts {
    my ($who, $type, $count) = @_;
    my @found;

    poll_until(20, sub {
        my @items = grep { $_->{type} eq $type }
            @{ $azora->get('/v1/me/activity?limit=100', @$who)
               ->{json}{items} };
        @found = grep { $_->{status} == 200 }
                 map { $azora->get("/v1/me/receipts/$_->{id}", @$who) }
                 @items;
        return @found >= $count;
    });
    return @found;
}

my %count = ('payment.completed' => 2, 'hold.placed' => 3);

for my $type (sort keys %whose) {
    my ($who, @names) = @{ $whose{$type} };
    my @receipts = receipts($who, $type, $count{$type} // 1);

    is scalar @receipts, $count{$type} // 1, "a receipt of $type" or next;

    for my $r (@receipts) {
        spew($file, $r->{body});
        my ($status, $said) = verify('receipt', '--key', $key, $file);
        is $status, 0, 'is true' or diag $said;

        my $more = $r->{body} =~ s/(minor\\":\s*)/${1}1/r;
        isnt $more, $r->{body}, 'it names the amount';
        spew($file, $more);
        ($status) = verify('receipt', '--key', $key, $file);
        is $status, 1, 'and with another amount it is not';
    }

    my $all = join '', map { $_->{body} } @receipts;
    is_deeply [grep { index($all, $_) < 0 } @names], [],
              'what it is of is named';
}

# As many events as movements: nothing moved in silence.
is $azora->value(q{SELECT count(*) FROM ledger.transfer AS t
    WHERE NOT EXISTS (
        SELECT 1 FROM journal.payload AS p
        WHERE p.body ->> 'transfer' = t.id::text
           OR p.body::jsonb -> 'transfers' @> to_jsonb(t.id::text))}), 0,
   'every movement is in the journal';

done_testing;

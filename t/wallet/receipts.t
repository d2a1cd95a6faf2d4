#!/usr/bin/env perl

# Every movement is an event, and its receipt can be checked without a server:
# a transfer, a hold, a mint, a reversal, an exchange of each person's own.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Chronicle qw(verify vkey_file);
use Azora::HTTP;
use Azora::Process qw(poll_until spew);
use Azora::Story qw(fund);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 1);
my $ruth = $azora->user('ruth', roles => ['admin']);
my ($amina, $baraka) = map { $azora->user($_) } qw(amina baraka);
my @amina = (token => $amina->{token});
my @baraka = (token => $baraka->{token});
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
my $paid = ask(\@amina, '/v1/wallets/AZR/transfers', {
    to => $baraka->{id}, amount => '3' });
my $hold = ask(\@amina, '/v1/holds', {
    to => $baraka->{id}, currency => 'AZR', amount => '2' });
ask(\@baraka, "/v1/holds/$hold->{id}/post", { amount => '1' });
ask(\@baraka, "/v1/transfers/$paid->{id}/reversal", { amount => '1' });

my %whose = ('ledger.mint' => \@amina, 'payment.completed' => \@amina,
             'hold.placed' => \@amina, 'hold.posted' => \@amina,
             'payment.reversed' => \@baraka);
my $key = vkey_file($azora);
my $file = "$azora->{dir}/receipt.json";

for my $type (sort keys %whose) {
    my ($r, $item);

    poll_until(20, sub {
        ($item) = grep { $_->{type} eq $type }
            @{ $azora->get('/v1/me/activity', @{ $whose{$type} })
               ->{json}{items} };
        $r = $item && $azora->get("/v1/me/receipts/$item->{id}",
                                  @{ $whose{$type} });
        return $r && $r->{status} == 200;
    });
    is $r && $r->{status}, 200, "a receipt of $type" or next;

    spew($file, $r->{body});
    my ($status, $said) = verify('receipt', '--key', $key, $file);
    is $status, 0, 'is true' or diag $said;

    my $more = $r->{body} =~ s/(minor\\":\s*)/${1}1/r;
    isnt $more, $r->{body}, 'it names the amount';
    spew($file, $more);
    ($status) = verify('receipt', '--key', $key, $file);
    is $status, 1, 'and with another amount it is not';
}

# As many events as movements: nothing moved in silence.
is $azora->value(q{SELECT count(*) FROM ledger.transfer AS t
    WHERE NOT EXISTS (SELECT 1 FROM journal.payload AS p
                      WHERE p.body ->> 'transfer' = t.id::text)}), 0,
   'every movement is in the journal';

done_testing;

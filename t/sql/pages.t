# Lists of the ledger, page by page: each line once and in order, whatever the
# size of a page, and nothing that is not there any more.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my $ama = $sql->register('ama');


# The lines of all pages of a list, as key() names them.
sub walk {
    my ($function, $size, $key, @who) = @_;
    my (@seen, $cursor);

    for (1 .. 100) {
        my $page = $sql->call($function, @who, limit => $size,
                              cursor => $cursor)->{body};
        push @seen, map { $key->($_) } @{ $page->{items} };
        $cursor = $page->{next} // last;
    }
    return \@seen;
}

my @codes = map { $_->[0] } @{ $sql->rows('
    SELECT code FROM ledger.currency ORDER BY code COLLATE "C"') };

$sql->issue($ama, $_, 1) for reverse @codes;
$sql->{dbh}->do("INSERT INTO ledger.rate
    SELECT 'AZR', c.code, 1, 0, now() + interval '1 hour'
    FROM ledger.currency AS c WHERE c.code <> 'AZR'");
$sql->{dbh}->do("INSERT INTO ledger.rate
    VALUES ('USD', 'AZR', 1, 0, now()), ('BTC', 'AZR', 1, 0, now())");
$sql->{dbh}->do("INSERT INTO ledger.tier_limit (currency, tier, day_max)
    SELECT c.code, t, 1 FROM ledger.currency AS c, generate_series(0, 3) AS t");
$sql->{dbh}->do("INSERT INTO ledger.issuance_day (currency, day, issued)
    SELECT 'AZR', ledger.today() - n, 10 * n
    FROM generate_series(0, 3) AS n");

for my $list (
    ['ledger.list_currencies', \@codes, sub { $_[0]{code} }],
    ['ledger.list_wallets', \@codes, sub { $_[0]{currency} }, as => $ama],
    ['ledger.list_policies', \@codes,
     sub { "$_[0]{currency}" . ($_[0]{issued_today} =~ /[1-9]/ ? '!' : '') }],
    ['ledger.list_rates', [grep { $_ ne 'AZR' } @codes],
     sub { $_[0]{sell} eq 'AZR' ? $_[0]{buy} : "$_[0]{sell}?" }],
    ['ledger.list_limits', [map { my $c = $_; map { "$c $_" } 0 .. 3 } @codes],
     sub { "$_[0]{currency} $_[0]{tier}" }],
) {
    my ($function, $expected, $key, @who) = @$list;

    is_deeply(walk($function, $_, $key, @who), $expected,
              "$function in pages of $_")
        for 1, 3, scalar @$expected, 100;
}

# the days of the economy
$sql->{dbh}->do("INSERT INTO ledger.issuance_day (currency, day, minted)
    SELECT 'KES', ledger.today() - n, 100 + n
    FROM generate_series(0, 30) AS n");
$sql->{dbh}->do("INSERT INTO ledger.issuance_day (currency, day)
                 VALUES ('KES', ledger.today() + 1)");
is_deeply([map { $_->{rewards} * 100 } @{ $sql->call('ledger.economy',
              currency => 'KES')->{body}{days} }], [100 .. 129],
          'thirty days of a currency on which something came or went');

# the task forgets what is not listed any more, and nothing else
is($sql->app->selectrow_array('SELECT ledger.end_rates(100)'), 2,
   'two rates are over');
is($sql->value('SELECT count(*) FROM ledger.rate'), @codes - 1,
   'the others hold');
is($sql->app->selectrow_array('SELECT ledger.end_rates(100)'), 0, 'still');

done_testing();

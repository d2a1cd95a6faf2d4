# Transfers: what is refused and why, batches, keys, races, statements, and
# the invariants of the books after all of it.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my ($ama, $kofi, $esi) = map { $sql->register($_) } qw(ama kofi esi);
my %send = (as => $ama, to => $kofi, amount => '1');


sub transfer { $sql->transfers([{ %send, @_ }])->[0] }

sub count { $sql->value("SELECT count(*) FROM ledger.$_[0]") }

sub wallet { $sql->call('ledger.get_wallet', as => $_[0],
                        currency => $_[1] // 'AZR')->{body} }


# a wallet before there is one
is_deeply(wallet($ama), { currency => 'AZR', posted => '0.00000000',
                          pending => '0.00000000',
                          available => '0.00000000' },
          'a wallet that does not exist yet has nothing');
is($sql->call('ledger.get_wallet', as => $ama, currency => 'XXX')->{problem},
   'unknown-currency', 'an unknown currency is refused');
is(transfer()->{problem}, 'insufficient-funds', 'and pays nothing');

$sql->issue($ama, 'AZR', 10_00000000);
$sql->issue($ama, 'USD', 100_00);

# a transfer
my $r = transfer(amount => '2.5', memo => 'for the bus', key => 'a');
is($r->{status}, 201, 'a transfer is made');
is_deeply([@{$r->{body}}{qw(currency amount to memo)}],
          ['AZR', '2.50000000', $kofi, 'for the bus'], 'as it was asked');
is($r->{location}, "/v1/transfers/$r->{body}{id}", 'with its location');
is(wallet($ama)->{posted}, '7.50000000', 'the sender has less');
is(wallet($kofi)->{available}, '2.50000000', 'the recipient has more');
is($sql->value("SELECT count(*) FROM journal.entry
                WHERE type = 'payment.completed'"), 1, 'it is journaled');
is_deeply($sql->rows("
    SELECT p.account <> t.credit, p.amount, p.seq FROM ledger.posting AS p
    JOIN ledger.transfer AS t ON t.id = p.transfer
    WHERE t.id = ? ORDER BY p.amount", $r->{body}{id}),
    [[1, -2_50000000, 2], [0, 2_50000000, 1]], 'by two postings');

my $got = $sql->call('ledger.get_transfer', as => $ama, id => $r->{body}{id});
is($got->{body}{amount}, '2.50000000', 'the sender can read it');
is($got->{body}{from}, $ama, 'with both sides');
is($sql->call('ledger.get_transfer', as => $kofi, id => $r->{body}{id})
   ->{status}, 200, 'so can the recipient');
is($sql->call('ledger.get_transfer', as => $esi, id => $r->{body}{id})
   ->{status}, 404, 'nobody else can');

is(transfer(to => 'KOFI@example.org')->{status}, 201,
   'an e-mail address names a recipient');
is(transfer(to => uc $kofi, amount => '0.5')->{status}, 201,
   'so does an account id in capitals');
is(transfer(as => $kofi, to => $ama, amount => '0.5')->{status}, 201,
   'and back');
is(transfer(to => $esi, currency => 'USD', amount => '0.01')->{status}, 201,
   'a wallet is made when money first reaches it');
is(wallet($esi, 'USD')->{posted}, '0.01', 'in its currency');

# what is refused; nothing of it changes anything
my @before = map { count($_) } qw(transfer posting);
for (
    [{ amount => '0' }, 422, 'amount-out-of-range', '/amount'],
    [{ amount => '0.00000000' }, 422, 'amount-out-of-range', '/amount'],
    [{ amount => '-1' }, 422, 'amount-out-of-range', '/amount'],
    [{ amount => '1e3' }, 422, 'amount-out-of-range', '/amount'],
    [{ amount => 'NaN' }, 422, 'amount-out-of-range', '/amount'],
    [{ amount => '92233720369' }, 422, 'amount-out-of-range', '/amount'],
    [{ amount => '9' x 400 }, 422, 'amount-out-of-range', '/amount'],
    [{ amount => '1.000000001' }, 422, 'too-many-decimals', '/amount'],
    [{ amount => '1.001', currency => 'USD' }, 422, 'too-many-decimals',
     '/amount'],
    [{ currency => 'XXX' }, 404, 'unknown-currency', undef],
    [{ to => 'nobody@example.org' }, 422, 'unknown-recipient', '/to'],
    [{ to => '00000000-0000-7000-8000-000000000000' }, 422,
     'unknown-recipient', '/to'],
    [{ to => 'not an address' }, 422, 'unknown-recipient', '/to'],
    [{ to => "$kofi $kofi" }, 422, 'unknown-recipient', '/to'],
    [{ to => substr $kofi, 1 }, 422, 'unknown-recipient', '/to'],
    [{ to => "$kofi " }, 422, 'unknown-recipient', '/to'],
    [{ to => '' }, 422, 'unknown-recipient', '/to'],
    [{ to => $kofi =~ s/-/g/r }, 422, 'unknown-recipient', '/to'],
    [{ to => $kofi =~ tr/-//dr }, 422, 'unknown-recipient', '/to'],
    [{ to => $ama }, 422, 'same-account', '/to'],
    [{ to => 'ama@example.org' }, 422, 'same-account', '/to'],
    [{ amount => '92233720368' }, 409, 'insufficient-funds', undef],
    [{ amount => '6.50000001' }, 409, 'insufficient-funds', undef],
    [{ memo => 'x' x 281 }, 422, 'memo-too-long', '/memo'],
    [{ key => 'x' x 1000 }, 400, 'invalid-idempotency-key', undef],
    [{ key => 'x' x 256 }, 400, 'invalid-idempotency-key', undef],
    [{ key => '' }, 400, 'invalid-idempotency-key', undef],
    [{ as => $esi, to => $kofi, amount => '0.00000001' }, 409,
     'insufficient-funds', undef],
) {
    my ($item, @want) = @$_;
    my $r = transfer(%$item);
    my $name = join ' ', map { substr "$_=$item->{$_}", 0, 40 } keys %$item;
    is_deeply([@$r{qw(status problem pointer)}], \@want, "$name: $want[1]");
}
is_deeply([map { count($_) } qw(transfer posting)], \@before,
          'refused transfers write nothing');

# frozen wallets neither pay nor receive
for my $frozen ($ama, $kofi) {
    $sql->{dbh}->do('UPDATE ledger.account SET frozen = owner = ?
                     WHERE owner IS NOT NULL',
                    undef, $frozen);
    $r = transfer();
    is("$r->{status} $r->{problem}", '403 account-frozen', 'frozen');
}
$sql->{dbh}->do('UPDATE ledger.account SET frozen = false');

# keys
$r = transfer(amount => '2.5', memo => 'for the bus', key => 'a');
is($r->{status}, 201, 'a repeated key is answered again');
is($r->{body}{id}, $got->{body}{id}, 'with the same transfer');
is(transfer(key => 'a', payload => 'b' x 64)->{problem},
   'idempotency-conflict', 'but not with another payload');
is(transfer(as => $kofi, to => $ama, amount => '0.5', key => 'a')->{status},
   201, "another's same key is another key");
is(wallet($ama)->{posted}, '7.00000000', 'each had one effect');

$r = transfer(amount => '100', key => 'poor');
is($r->{problem}, 'insufficient-funds', 'a key is not used up by a refusal');
is(transfer(key => 'poor')->{status}, 201, 'it can be used again');

# a batch is decided in the order of arrival, each item by itself
my $replies = $sql->transfers([
    { %send, amount => '6', key => 'b1' },              # 6 of 6
    { %send, amount => '0.00000001', key => 'b2' },     # nothing left
    { %send, as => $kofi, to => $ama, amount => '2' },  # brings 2
    { %send, amount => '2', to => $esi, key => 'b3' },  # pays them on
    { %send, amount => '6', key => 'b1' },              # repeats the first
    { %send, amount => '5', key => 'b1', payload => 'c' x 64 },
    { %send, amount => '0.00000001', key => 'b2' },     # repeats a refusal
    { %send, to => 'x@example.org' },
    { %send, as => $esi, to => $ama, amount => '2' },
]);
is_deeply([map { $_->{problem} // $_->{status} } @$replies],
          [201, 'insufficient-funds', 201, 201, 201, 'idempotency-conflict',
           'insufficient-funds', 'unknown-recipient', 201],
          'each item of a batch has its own result');
is($replies->[4]{text}, $replies->[0]{text},
   'one key twice in a batch has one effect and one answer');
is(wallet($ama)->{posted}, '2.00000000', 'the sender has what is left');
is_deeply($sql->errors_in_books, [], 'the books are right');

# a key is not used up by an item that was wrong, also beside it
$replies = $sql->transfers([
    { %send, to => 'x@example.org', amount => '0.00000001', key => 'wrong' },
    { %send, amount => '0.00000001', key => 'wrong' },
    { %send, amount => '0.00000001', key => 'wrong' },
    { %send, as => $kofi, to => $ama, amount => '0.00000001' } ]);
is_deeply([map { $_->{problem} // $_->{status} } @$replies],
          ['unknown-recipient', 201, 201, 201], 'a wrong item with a key');
is($replies->[2]{text}, $replies->[1]{text}, 'leaves it to the good one');

# one that cannot pay all does not spoil what others can
$replies = $sql->transfers([
    map { { %send, amount => '0.3', key => "c$_" } } 1 .. 10 ]);
is((grep { $_->{status} == 201 } @$replies), 6, 'six times 0.3 of 2.0');
is($sql->balance($ama), 20000000, 'leaves 0.2');

# races of two connections for the last money
$sql->issue($esi, 'AZR', 1_00000000);
my %last = (as => $esi, to => $kofi, amount => '1');
my $one = $sql->connect(role => 'azora_app');
$one->begin_work;
is($sql->transfers([{ %last, key => 'last1' }], on => $one)->[0]{status}, 201,
   'the first one pays');
my $second = $sql->start($sql->transfer_statement([
    { %last, key => 'last2' }, { %last, key => 'last1' }]));
ok($sql->wait_for_lock($second), 'the second waits for it');
$one->commit;
my $late = $sql->batch_replies($sql->finish($second)->{rows});
is($late->[0]{problem}, 'insufficient-funds', 'and finds nothing left');
is($late->[1]{status}, 201, 'but a racing repeat gets the first answer');
is($sql->balance($esi), 0, 'the money was paid once');

# many at once, over the same few accounts and back, in opposite orders
my @crowd = map { $sql->register("crowd$_") } 1 .. 5;
$sql->issue($_, 'AZR', 1000) for @crowd;
my @racers = map {
    my $n = $_;
    $sql->start($sql->transfer_statement([
        map { my $from = ($_ * ($n % 2 ? 1 : -1) + $n) % 5;
              { as => $crowd[$from], to => $crowd[($from + 1 + $_ % 3) % 5],
                amount => '0.00000' . (100 + $_ * 13 % 400),
                key => 'crowd-' . ($_ + $n % 3 * 50) } } 1 .. 100 ]))
} 1 .. 8;
my @outcomes = map { $sql->finish($_) } @racers;
is_deeply([map { $_->{error} } @outcomes], [(undef) x 8],
          'eight racing batches end without a deadlock');
is_deeply([map { scalar @{$_->{rows}} } @outcomes], [(100) x 8],
          'every item is answered');
is($sql->value('SELECT sum(balance) FROM ledger.account WHERE owner = ANY (?)',
               \@crowd), 5000, 'no money came or went');
is($sql->value('SELECT count(*) FROM (SELECT 1 FROM ledger.transfer
                WHERE key IS NOT NULL GROUP BY debit, key
                HAVING count(*) > 1) AS d'), 0, 'no key had two effects');
is_deeply($sql->errors_in_books, [], 'the books are right');

# transfers, and so postings, never change
$sql->{dbh}->do(q{INSERT INTO ledger.metadata (transfer, body)
                  SELECT t.id, '{}' FROM ledger.transfer AS t LIMIT 1});

for my $change ('UPDATE ledger.transfer SET amount = amount + 1',
                'DELETE FROM ledger.transfer',
                'TRUNCATE ledger.transfer CASCADE',
                q{UPDATE ledger.transfer SET memo = 'other'},
                q{UPDATE ledger.transfer SET memo = 'other'
                  WHERE memo IS NULL},
                q{UPDATE ledger.transfer SET recipient = 'other'},
                'UPDATE ledger.transfer SET recipient = NULL
                 WHERE recipient IS NOT NULL',
                'UPDATE ledger.transfer SET memo = NULL, kind = kind || 2',
                'UPDATE ledger.transfer SET payload_hash = NULL
                 WHERE payload_hash IS NOT NULL',
                q{UPDATE ledger.metadata SET body = '{"a": 1}'},
                'UPDATE ledger.metadata SET transfer = gen_random_uuid()',
                'DELETE FROM ledger.metadata',
                'UPDATE ledger.reversal SET amount = 1',
                'DELETE FROM ledger.reversal',
                'TRUNCATE ledger.reversal',
                'DELETE FROM ledger.hold',
                'DELETE FROM ledger.operation',
                'DELETE FROM ledger.account',
                'TRUNCATE ledger.metadata',
                'TRUNCATE ledger.hold',
                'TRUNCATE ledger.operation',
                'TRUNCATE ledger.account CASCADE')
{
    eval { $sql->{dbh}->do($change) };
    is($sql->{dbh}->state, '23000', "$change is refused");
}

# but for the words of who is forgotten
for my $change ('UPDATE ledger.transfer SET memo = NULL WHERE memo = ?',
                'UPDATE ledger.transfer SET recipient = gen_random_uuid()
                 WHERE memo = ?')
{
    $sql->{dbh}->begin_work;
    is($sql->{dbh}->do($change, undef, 'for the bus'), 1, $change);
    $sql->{dbh}->rollback;
}

# a statement, walked by cursor while new postings arrive
my (@walked, $cursor);
for (1 .. 100) {
    my $page = $sql->call('ledger.statement', as => $kofi, currency => 'AZR',
                          limit => 3, cursor => $cursor);
    push @walked, @{$page->{body}{items}};
    $cursor = $page->{body}{next} // last;
    transfer(to => $kofi, amount => '0.00000001');
}
my $top = $walked[0]{seq};
is_deeply([map { $_->{seq} } @walked], [reverse 1 .. $top],
          'the walk has no gap and no repeat');
my $balance = 0;
for my $line (reverse @walked) {
    $balance += $line->{amount} * 1e8;
    is(sprintf('%.0f', $line->{balance} * 1e8), sprintf('%.0f', $balance),
       "balance after posting $line->{seq}");
}
is($walked[-1]{counterparty}, $ama, 'a line names the other side');
is($walked[-1]{memo}, 'for the bus', 'and has its memo');

for my $bad ('!', 'x', 'QUJD', '-', 'MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM', "\x{e4}")
{
    my $r = $sql->call('ledger.statement', as => $kofi, currency => 'AZR',
                       limit => 1, cursor => $bad);
    is("$r->{status} $r->{problem}", '400 invalid-cursor',
       'a made-up cursor is refused');
}

# the trial balance
my %trial = map { ($_->{currency} => $_) }
            @{$sql->call('ledger.trial_balance')->{body}{items}};
is($trial{AZR}{issued}, $trial{AZR}{held}, 'what was issued is held');
is($trial{USD}{issued}, '100.00', 'in each currency');
is_deeply([grep { $_->{sum} * 1 } values %trial], [], 'every sum is zero');

done_testing();

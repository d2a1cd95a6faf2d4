#!/usr/bin/env perl

# What administrators do to money: small things alone, the rest in pairs, all
# of it journaled, and nothing beyond what may be issued.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Story qw(at_once balance documented fund is_problem is_sound
                    journaled);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 2);
my $ruth = $azora->user('ruth', roles => ['admin']);
my $sam = $azora->user('sam', roles => ['admin']);
my ($amina, $baraka) = map { $azora->user($_) } qw(amina baraka);
my $BASE = '/v1/admin/ledger';
my $r;

my $keys = 0;

sub act {
    my ($who, $what, %body) = @_;
    return $azora->post("$BASE/$what", token => $who->{token},
                        key => 'act-' . ++$keys,
                        json => { reason => 'because', %body });
}

sub decide {
    my ($who, $id, $how) = @_;
    return $azora->post("$BASE/operations/$id/$how", token => $who->{token},
                        key => 'decide-' . ++$keys);
}

sub pay {
    my ($from, $to, $amount, $currency) = @_;
    return $azora->post('/v1/wallets/' . ($currency // 'AZR') . '/transfers',
        token => $from->{token}, key => 'pay-' . ++$keys,
        json => { to => $to->{id}, amount => $amount });
}

# Done by one, or proposed by one and approved by the other.
sub done {
    my ($what, %body) = @_;
    my $r = act($ruth, $what, %body);
    $r = decide($sam, $r->{json}{id}, 'approve')
        if ($r->{json}{state} // '') eq 'proposed';
    is $r->{json}{state}, 'done', "$what is done" or diag $r->{body};
    return $r->{json};
}

my %mint = (to => 'amina@example.org', currency => 'AZR', amount => '1000');


subtest 'a small amount is minted at once' => sub {
    is_problem($azora->post("$BASE/mints", token => $amina->{token},
        key => 'x', json => { %mint, reason => 'me' }), 403,
        'insufficient-scope');
    for ([{ to => 'x@example.org' }, 422, 'unknown-recipient', '/to'],
         [{ currency => 'XXX' }, 422, 'unknown-currency', '/currency'],
         [{ amount => '0.000000001' }, 422, 'too-many-decimals', '/amount'],
         [{ amount => '0' }, 422, 'validation-failed', '/amount'])
    {
        my ($change, @expected) = @$_;
        is_problem(act($ruth, 'mints', %mint, %$change), @expected);
    }
    is $azora->value('SELECT count(*) FROM ledger.operation'), 0, 'none yet';

    my @ask = (token => $ruth->{token}, key => 'once',
               json => { %mint, reason => 'a grant' });
    $r = $azora->post("$BASE/mints", @ask);
    is $r->{status}, 201, 'is done';
    documented($azora, $r, 'POST /v1/admin/ledger/mints');
    is_deeply [@{ $r->{json} }{qw(action state reason amount)}],
              ['mint', 'done', 'a grant', '1000.00000000'], 'as it says';
    is $azora->post("$BASE/mints", @ask)->{body}, $r->{body},
       'a repeat is one';
    is balance($azora, $amina, 'AZR'), 100_000_000_000, 'she has it';
    is journaled($azora, 'ledger.mint'), 1, 'it is journaled';

    documented($azora, $azora->get("$BASE/operations/$r->{json}{id}",
               token => $sam->{token}),
               'GET /v1/admin/ledger/operations/{id}');
    my ($line) = @{ $azora->get('/v1/wallets/AZR/statement',
                                token => $amina->{token})->{json}{items} };
    is_deeply [@$line{qw(kind counterparty transfer)}],
              ['issue', 'issuance', $r->{json}{transfer}],
              'her statement says where it is from';
    is $azora->value('SELECT reference FROM ledger.transfer WHERE id = ?',
                     $r->{json}{transfer}), $r->{json}{id},
       'the movement refers to the operation';
    is_sound($azora);
};


subtest 'a large amount takes two' => sub {
    my $before = balance($azora, $amina, 'AZR');

    $r = act($ruth, 'mints', %mint, amount => '10000');
    is_deeply [$r->{status}, $r->{json}{state}], [201, 'proposed'],
              'with the thousand before it is more than one may in a day';
    my $id = $r->{json}{id};
    is balance($azora, $amina, 'AZR'), $before, 'nothing has moved';
    is journaled($azora, 'ledger.proposed'), 1, 'journaled';

    $r = $azora->get("$BASE/operations?state=proposed",
                     token => $sam->{token});
    documented($azora, $r, 'GET /v1/admin/ledger/operations');
    is_deeply [map { $_->{id} } @{ $r->{json}{items} }], [$id],
              'the other one sees it';

    is_problem(decide($ruth, $id, 'approve'), 403, 'own-proposal');
    is_problem(decide($amina, $id, 'approve'), 403, 'insufficient-scope');
    is balance($azora, $amina, 'AZR'), $before, 'still nothing';

    my @answers = at_once($azora, map {
        ['POST', "$BASE/operations/$id/" . ($_ % 4 ? 'approve' : 'reject'),
         token => $sam->{token}, key => "race-$_"]
    } 1 .. 12);
    my %seen;
    $seen{"$_->{status} " . ($_->{json}{type} // '')}++ for @answers;
    is_deeply \%seen, { '200 ' => 1, '409 /problems/wrong-state' => 11 },
              'of many that decide at once one does';
    my $state = $azora->get("$BASE/operations/$id", token => $sam->{token})
                ->{json}{state};
    is balance($azora, $amina, 'AZR'),
       $before + ($state eq 'done' ? 1_000_000_000_000 : 0), 'so it moved';
    is_problem(decide($sam, $id, 'approve'), 409, 'wrong-state');

    my $rejected = journaled($azora, 'ledger.rejected');
    $r = act($ruth, 'mints', %mint, amount => '20000');
    documented($azora, decide($ruth, $r->{json}{id}, 'reject'),
               'POST /v1/admin/ledger/operations/{id}/reject');
    is journaled($azora, 'ledger.rejected'), $rejected + 1, 'journaled, too';
    is_problem(decide($sam, $r->{json}{id}, 'approve'), 409, 'wrong-state');

    $r = act($ruth, 'mints', %mint, amount => '20000');
    is $azora->value('SELECT expires_at - created_at FROM ledger.operation
                      WHERE id = ?', $r->{json}{id}), '7 days',
       'it waits for a week';
    $azora->sql('UPDATE ledger.operation SET expires_at = now()
                 WHERE id = ?', $r->{json}{id});
    is_problem(decide($sam, $r->{json}{id}, 'approve'), 409, 'wrong-state');
    is $azora->get("$BASE/operations/$r->{json}{id}",
                   token => $sam->{token})->{json}{state}, 'expired',
       'and says that it is over';
    is_deeply [map { [map { $_->{id} } @{ $azora->get(
                   "$BASE/operations?state=$_", token => $sam->{token})
                   ->{json}{items} }] } qw(expired proposed)],
              [[$r->{json}{id}], []], 'as the lists do';
    is_problem(decide($sam, $amina->{id}, 'approve'), 404, 'not-found');
    is_sound($azora);
};


subtest 'nobody is alone with themself' => sub {
    $r = act($ruth, 'mints', %mint, to => $ruth->{id}, amount => '1');
    is $r->{json}{state}, 'proposed', 'minting to oneself takes another';
    $r = act($sam, 'mints', %mint, to => $ruth->{id}, amount => '50000');
    is_problem(decide($ruth, $r->{json}{id}, 'approve'), 403,
               'own-proposal');
    is balance($azora, $ruth, 'AZR'), 0, 'nothing came of it';
};


subtest 'many small amounts at once are a large one' => sub {
    my @answers = at_once($azora, map {
        ['POST', "$BASE/mints", token => $sam->{token}, key => "many-$_",
         json => { %mint, amount => '3000', reason => 'x' }]
    } 1 .. 8);
    my %seen;
    $seen{ $_->{json}{state} // $_->{status} }++ for @answers;
    is_deeply \%seen, { done => 3, proposed => 5 },
              'three of 3,000 where 10,000 are allowed';
    is_sound($azora);
};


subtest 'what one did alone today, and nothing else, counts' => sub {
    my $alone = sub { return act($ruth, 'mints', %mint, @_)->{json}{state} };
    my %kes = (currency => 'KES');

    $r = act($ruth, 'mints', %mint, amount => '9500');
    is decide($sam, $r->{json}{id}, 'approve')->{json}{state}, 'done',
       'what two did';
    is $alone->(%kes, amount => '1000000'), 'done', 'of another currency';
    is $alone->(%kes, amount => '0.01'), 'proposed', 'all that one may';
    is $alone->(amount => '9000'), 'done',
       'nine with the thousand before, whatever another one did';
    is $alone->(amount => '0.00000001'), 'proposed', 'to the last unit';

    $azora->sql(q{UPDATE ledger.operation
                  SET created_at = created_at - interval '1 day'
                  WHERE proposed_by = ?}, $ruth->{id});
    is $alone->(amount => '1'), 'done', 'a day later it is nothing';

    my %policy = %{ ($azora->sql(q{DELETE FROM ledger.issuance_policy
        WHERE currency = 'NGN'
        RETURNING currency, day_max, mint_day_max, four_eyes_above}))[0] };
    $r = act($ruth, 'mints', %mint, currency => 'NGN', amount => '0.01');
    is $r->{json}{state}, 'proposed', 'where nothing is said nobody may alone';
    is_problem(decide($sam, $r->{json}{id}, 'approve'), 409,
               'issuance-limit');
    $azora->sql('INSERT INTO ledger.issuance_policy (currency, day_max,
                     mint_day_max, four_eyes_above) VALUES (?, ?, ?, ?)',
                @policy{qw(currency day_max mint_day_max four_eyes_above)});
    is_sound($azora);
};


subtest 'a walk through what administrators did' => sub {
    my (@seen, $cursor);
    for (1 .. 40) {
        $r = $azora->get("$BASE/operations?limit=3"
                         . ($cursor ? "&cursor=$cursor" : ''),
                         token => $sam->{token});
        push @seen, map { $_->{id} } @{ $r->{json}{items} };
        $cursor = $r->{json}{next} // last;
    }
    is_deeply \@seen, [map { $_->{id} } $azora->sql(
        'SELECT id FROM ledger.operation ORDER BY id DESC')],
              'newest first, without a gap or a repeat';
    cmp_ok scalar @seen, '>', 6, 'over several pages';
};


subtest 'what may be issued' => sub {
    $r = act($ruth, 'mints', %mint, amount => '991000');
    my $before = balance($azora, $amina, 'AZR');
    is_problem(decide($sam, $r->{json}{id}, 'approve'), 409,
               'issuance-limit');
    is balance($azora, $amina, 'AZR'), $before, 'not more in a day';
    is $azora->get("$BASE/operations/$r->{json}{id}",
                   token => $sam->{token})->{json}{state}, 'proposed',
       'it can be tried another day';

    $azora->sql(q{UPDATE ledger.account SET floor = balance - 500
                  WHERE kind = 'issuance' AND currency = 'KES'});
    is_problem(act($ruth, 'mints', %mint, currency => 'KES',
                   amount => '5.01'), 409, 'issuance-limit');
    done('mints', %mint, currency => 'KES', amount => '5');

    $azora->sql(q{UPDATE ledger.issuance_policy SET mint_day_max = 700
                  WHERE currency = 'GHS'});
    $azora->sql(q{INSERT INTO ledger.issuance_day (currency, day, issued)
                  VALUES ('GHS', ledger.today() - 1, 300)});
    my @ghs = (%mint, currency => 'GHS');
    is_problem(act($ruth, 'mints', @ghs, amount => '7.01'), 409,
               'issuance-limit');
    done('mints', @ghs, amount => $_) for '2', '5';
    is_problem(act($ruth, 'mints', @ghs, amount => '0.01'), 409,
               'issuance-limit');
    is_deeply [map { $_->{issued} } $azora->sql(
        q{SELECT issued FROM ledger.issuance_day WHERE currency = 'GHS'
          ORDER BY day})], [300, 700], 'each day by itself, to the cent';

    done('policies', currency => 'AZR', four_eyes_above => '1',
         mint_day_max => '2000000', reward_total_max => '5');
    is_deeply [$azora->sql(q{SELECT day_max, mint_day_max, four_eyes_above,
                                    reward_total_max
                             FROM ledger.issuance_policy
                             WHERE currency = 'AZR'})],
              [{ day_max => 10_000_000_000_000,
                 mint_day_max => 200_000_000_000_000,
                 four_eyes_above => 100_000_000,
                 reward_total_max => 500_000_000 }],
              'a policy takes two, and keeps what is not named';
    done('policies', currency => 'AZR', exchange_max => '3');
    is_deeply [$azora->sql(q{SELECT exchange_max, reward_total_max
                             FROM ledger.issuance_policy
                             WHERE currency = 'AZR'})],
              [{ exchange_max => 300_000_000,
                 reward_total_max => 500_000_000 }], 'the next one as well';
    done('policies', currency => 'AZR', four_eyes_above => '1');
    is $azora->value(q{SELECT a.floor + p.exchange_max
        FROM ledger.issuance_policy AS p
             JOIN ledger.account AS a ON a.currency = p.currency
                                     AND a.kind = 'exchange'
        WHERE p.currency = 'AZR' AND a.floor < 0}), 0,
       'and what the house may owe stays';
    $azora->sql(q{DELETE FROM ledger.issuance_policy
                  WHERE currency = 'ZAR'});
    done('policies', currency => 'ZAR', mint_day_max => '1');
    is_deeply [$azora->sql(q{SELECT day_max, mint_day_max, four_eyes_above,
                                    exchange_max, reward_total_max
                             FROM ledger.issuance_policy
                             WHERE currency = 'ZAR'})],
              [{ day_max => 0, mint_day_max => 100, four_eyes_above => 0,
                 exchange_max => 0, reward_total_max => undef }],
              'a first one allows what it names';
    is_problem(act($ruth, 'policies', currency => 'AZR',
                   mint_day_max => '0.000000001'), 422, 'too-many-decimals',
               '/mint_day_max');
    $r = $azora->get('/v1/admin/ledger/policies', token => $sam->{token});
    documented($azora, $r, 'GET /v1/admin/ledger/policies');
    is $r->{json}{items}[0]{four_eyes_above}, '1.00000000', 'it is shown';
    $r = act($ruth, 'policies', currency => 'AZR', four_eyes_above => '999');
    documented($azora, $r, 'POST /v1/admin/ledger/policies');
    is $r->{json}{state}, 'proposed', 'never one';
    done('mints', %mint, amount => '900000');

    eval { $azora->sql(q{SELECT ledger.mint('AZR', 500000001)}) };
    like $@, qr/issuance-limit/, 'rewards have a bound in all';
    $azora->sql(q{SELECT ledger.mint('AZR', 500000000)});
    eval { $azora->sql(q{SELECT ledger.mint('AZR', 1)}) };
    like $@, qr/issuance-limit/, 'that counts';

    # whatever came of another currency, and before today
    my $reward = sub {
        eval { $azora->sql(q{SELECT ledger.mint('KES', ?)}, $_[0]); 1 }
            and return 'minted';
        return $@ =~ /(issuance-limit)/ ? $1 : $@;
    };
    $azora->sql($_) for
        q{UPDATE ledger.issuance_policy
          SET day_max = 300, reward_total_max = 500 WHERE currency = 'KES'},
        q{INSERT INTO ledger.issuance_day (currency, day, minted)
          VALUES ('KES', ledger.today() - 1, 200)};
    is_deeply [map { $reward->($_) } 301, 299, 1, 1],
              [qw(issuance-limit minted minted issuance-limit)],
              'rewards of a day, to the last unit';
    $azora->sql(q{UPDATE ledger.issuance_policy SET day_max = 1000
                  WHERE currency = 'KES'});
    is $reward->(1), 'issuance-limit', 'and of all days';
    is_deeply [map { $_->{minted} } $azora->sql(
        q{SELECT minted FROM ledger.issuance_day WHERE currency = 'KES'
          ORDER BY day})], [200, 300], 'each day by itself';
    is_sound($azora);
};


subtest 'burning and giving back' => sub {
    my $before = balance($azora, $amina, 'AZR');
    documented($azora, act($ruth, 'burns', from => 'amina@example.org',
               currency => 'AZR', amount => '5'),
               'POST /v1/admin/ledger/burns');
    done('burns', from => 'amina@example.org', currency => 'AZR',
         amount => '5');
    is balance($azora, $amina, 'AZR'), $before - 500_000_000, 'burned';
    $r = act($ruth, 'burns', from => $baraka->{id}, currency => 'AZR',
             amount => '0.5');
    is_problem(decide($sam, $r->{json}{id}, 'approve'), 409,
               'insufficient-funds');
    my $burn = done('burns', from => 'amina@example.org', currency => 'AZR',
                    amount => '1');
    is $azora->value('SELECT reference FROM ledger.transfer WHERE id = ?',
                     $burn->{transfer}), $burn->{id}, 'for its operation';
    is $azora->value(q{SELECT burned FROM ledger.issuance_day
                       WHERE currency = 'AZR'}), 600_000_000, 'counted';

    my $paid = pay($amina, $baraka, '7')->{json}{id};
    is_problem(act($ruth, 'reversals', transfer => $ruth->{id}), 422,
               'unknown-transfer', '/transfer');
    documented($azora, act($ruth, 'reversals', transfer => $paid,
               amount => '2'), 'POST /v1/admin/ledger/reversals');
    my $back = done('reversals', transfer => $paid, amount => '3');
    is balance($azora, $baraka, 'AZR'), 400_000_000, 'a part is given back';
    is $azora->get("/v1/transfers/$back->{transfer}",
                   token => $amina->{token})->{json}{reversal_of}, $paid,
       'to whom it was';
    $r = act($ruth, 'reversals', transfer => $paid, amount => '5');
    is_problem(decide($sam, $r->{json}{id}, 'approve'), 409,
               'reversal-exceeds');
    is_sound($azora);
};


subtest 'nobody gives their own money back to themself' => sub {
    my $shop = $azora->user('shop');
    fund($azora, $_, 'AZR', 500_000_000) for $ruth, $shop;
    my $paid = pay($ruth, $shop, '1')->{json}{id};

    my $alone = sub { $azora->sql('UPDATE ledger.issuance_policy
                                   SET four_eyes_above = ?', $_[0]) };

    $alone->(1_000_000_000_000);
    $r = act($ruth, 'reversals', transfer => $paid, amount => '0.5');
    is $r->{json}{state}, 'proposed', 'whoever paid does not do it alone';
    is balance($azora, $shop, 'AZR'), 600_000_000, 'nothing moved';
    is decide($sam, $r->{json}{id}, 'approve')->{json}{state}, 'done',
       'another one may';
    is act($sam, 'reversals', transfer => $paid, amount => '0.1')
       ->{json}{state}, 'done', 'also alone';
    $alone->(0);
    $r = act($sam, 'reversals', transfer => $paid, amount => '0.2');
    is_problem(decide($ruth, $r->{json}{id}, 'approve'), 403,
               'own-proposal');
    is balance($azora, $shop, 'AZR'), 540_000_000, 'so it stays';

    $alone->(1_000_000_000_000);
    $paid = pay($amina, $ruth, '1')->{json}{id};
    $r = act($ruth, 'reversals', transfer => $paid, amount => '0.1');
    is $r->{json}{state}, 'proposed', 'nor does whoever was paid';
    is $r->{json}{arguments}{owner}, $ruth->{id}, 'whose money it is';
    is act($sam, 'reversals', transfer => $paid, amount => '0.1')
       ->{json}{state}, 'done', 'another one does';

    $alone->(100_000_000);
    $paid = pay($amina, $shop, '1')->{json}{id};
    $azora->post("/v1/transfers/$paid/reversal", token => $shop->{token},
                 key => 'all', json => {});
    is_problem(act($ruth, 'reversals', transfer => $paid), 409,
               'reversal-exceeds');
    is_sound($azora);
};


subtest 'who runs the machine is the second one, where there is none' => sub {
    my $mine = act($ruth, 'mints', %mint, to => $ruth->{id}, amount => '2')
               ->{json}{id};
    my $policy = act($ruth, 'policies', currency => 'GHS',
                     mint_day_max => '7')->{json}{id};
    my $before = balance($azora, $ruth, 'AZR');

    my @waiting = map { $Azora::HTTP::JSON->decode($_->{document}) }
                  $azora->sql(
        'SELECT document FROM ledger.waiting_operations() AS w (document)');
    is_deeply [sort grep { $_ eq $mine || $_ eq $policy }
               map { $_->{id} } @waiting], [sort $mine, $policy],
              'what waits is listed';
    is_deeply [grep { $_->{state} ne 'proposed' } @waiting], [],
              'and nothing that was decided or is over';

    my $approve = sub {
        eval { $azora->sql(q{SELECT ledger.approve_as_operator($1,
                   'root@here')}, $_[0]); 1 } and return 'done';
        return $@ =~ /(wrong-state|not-found)/ ? $1 : $@;
    };
    is $approve->($_), 'done', 'is done' for $mine, $policy;
    is $approve->($mine), 'wrong-state', 'once';
    is $approve->($amina->{id}), 'not-found', 'if there is such a thing';
    is balance($azora, $ruth, 'AZR'), $before + 200_000_000, 'minted';
    is $azora->value(q{SELECT mint_day_max FROM ledger.issuance_policy
                       WHERE currency = 'GHS'}), 700, 'set';

    $r = $azora->get("$BASE/operations/$policy", token => $sam->{token});
    documented($azora, $r, 'GET /v1/admin/ledger/operations/{id}');
    is_deeply [@{ $r->{json} }{qw(state decided_by)}],
              ['done', '00000000-0000-0000-0000-000000000000'],
              'by nobody with an account';
    is $azora->value(q{SELECT p.body ->> 'operator'
        FROM journal.payload AS p
        WHERE p.body ->> 'operation' = ?
          AND p.body ->> 'operator' IS NOT NULL}, $mine), 'root@here',
       'the journal knows who';

    my $late = act($ruth, 'policies', currency => 'GHS',
                   mint_day_max => '8')->{json}{id};
    $azora->sql('UPDATE ledger.operation SET expires_at = now()
                 WHERE id = ?', $late);
    is $approve->($late), 'wrong-state', 'what waited too long is not done';
    is_sound($azora);
};


subtest 'freezing is quick, thawing takes two' => sub {
    documented($azora, act($ruth, 'freezes', account => 'amina@example.org',
               currency => 'AZR'), 'POST /v1/admin/ledger/freezes');
    is_problem(pay($amina, $baraka, '1'), 403, 'account-frozen');
    is_problem(pay($baraka, $amina, '1'), 403, 'account-frozen');
    is $azora->get('/v1/wallets/AZR', token => $amina->{token})
       ->{json}{frozen}, $azora->get('/readyz') && 1, 'she sees it';
    is pay($amina, $baraka, '1', 'KES')->{status}, 201,
       'another wallet of hers is not';
    is_problem(act($ruth, 'freezes', account => 'amina@example.org',
               currency => 'XXX'), 422, 'unknown-currency', '/currency');

    act($ruth, 'freezes', account => 'amina@example.org');
    is_problem(pay($amina, $baraka, '1', 'KES'), 403, 'account-frozen');
    fund($azora, $baraka, 'USD', 100);
    is_problem(pay($baraka, $amina, '1', 'USD'), 403, 'account-frozen');

    $r = act($ruth, 'unfreezes', account => 'amina@example.org');
    documented($azora, $r, 'POST /v1/admin/ledger/unfreezes');
    is_problem(pay($amina, $baraka, '1'), 403, 'account-frozen');
    documented($azora, decide($sam, $r->{json}{id}, 'approve'),
               'POST /v1/admin/ledger/operations/{id}/approve');
    is pay($amina, $baraka, '1')->{status}, 201, 'thawed';
    is journaled($azora, 'ledger.freeze'), 2, 'journaled';
    is_sound($azora);
};


subtest 'a credit limit holds at once, with what is held' => sub {
    my $eve = $azora->user('eve');
    is_problem(pay($eve, $baraka, '0.5'), 409, 'insufficient-funds');

    documented($azora, act($ruth, 'credit-limits', account => $eve->{id},
               currency => 'AZR', amount => '100'),
               'POST /v1/admin/ledger/credit-limits');
    done('credit-limits', account => $eve->{id}, currency => 'AZR',
         amount => '10');
    is_deeply [@{ $azora->get('/v1/wallets/AZR', token => $eve->{token})
                  ->{json} }{qw(posted available credit_limit)}],
              ['0.00000000', '10.00000000', '10.00000000'], 'she sees it';

    my @answers = at_once($azora, map {
        ['POST', '/v1/wallets/AZR/transfers', token => $eve->{token},
         key => "credit-$_", json => { to => $baraka->{id}, amount => '0.9' }]
    } 1 .. 15);
    is scalar(grep { $_->{status} == 201 } @answers), 11, 'eleven of 0.9';
    is balance($azora, $eve, 'AZR'), -990_000_000, 'below zero, not too far';

    my $hold = $azora->post('/v1/holds', token => $eve->{token}, key => 'ch',
        json => { to => $baraka->{id}, currency => 'AZR', amount => '0.1' });
    is $hold->{status}, 201, 'the rest is held';
    $r = act($ruth, 'credit-limits', account => $eve->{id}, currency => 'AZR',
             amount => '9.9');
    is_problem(decide($sam, $r->{json}{id}, 'approve'), 409,
               'credit-in-use');
    is_problem(act($ruth, 'credit-limits', account => $eve->{id},
                   currency => 'AZR'), 409, 'credit-in-use');
    pay($baraka, $eve, '10');
    is act($sam, 'credit-limits', account => $eve->{id}, currency => 'AZR')
       ->{json}{state}, 'done', 'when it is paid back it can go';
    is_problem(pay($eve, $baraka, '0.2'), 409, 'insufficient-funds');
    is_sound($azora);
};

done_testing;

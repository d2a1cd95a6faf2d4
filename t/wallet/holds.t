#!/usr/bin/env perl

# Money that is promised: nobody else gets it, it is paid once, in time, by
# itself where that was agreed, and also when the server was away meanwhile.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Process qw(alive poll_until);
use Azora::Story qw(at_once balance documented fund is_problem is_sound
                    journaled);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 2);
my ($amina, $baraka, $chidi) = map { $azora->user($_) }
                               qw(amina baraka chidi);
my @amina = (token => $amina->{token});
my @baraka = (token => $baraka->{token});
my @chidi = (token => $chidi->{token});
my $r;

my $keys = 0;
sub fresh { return (key => 'key-' . ++$keys) }

sub later {
    my ($seconds) = @_;
    return $azora->value(q{SELECT azora.rfc3339(now() + $1
                                                * interval '1 second')},
                         $seconds);
}

sub hold {
    my (%body) = @_;
    my $r = $azora->post('/v1/holds', @amina, fresh(), json => {
        currency => 'AZR', to => 'baraka@example.org', %body });
    is $r->{status}, 201, "held $body{amount}" or diag $r->{body};
    return $r->{json};
}

# Of Amina's wallet: posted, pending, available.
sub wallet_is {
    my ($expected, $name) = @_;
    my $json = $azora->get('/v1/wallets/AZR', @amina)->{json};
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply [map { $json->{$_} * 1 } qw(posted pending available)],
              $expected, $name;
}

sub state_of {
    my ($id) = @_;
    return $azora->get("/v1/holds/$id", @amina)->{json}{state};
}

fund($azora, $amina, 'AZR', 1_000_000_000);


subtest 'a hold is made' => sub {
    my %ask = (currency => 'AZR', to => 'baraka@example.org', amount => '4',
               memo => 'a room');

    is_problem($azora->post('/v1/holds', @amina, json => \%ask), 400,
               'idempotency-key-required');
    for ([{ amount => '11' }, 409, 'insufficient-funds'],
         [{ amount => '0.000000001' }, 422, 'too-many-decimals', '/amount'],
         [{ currency => 'XXX' }, 422, 'unknown-currency', '/currency'],
         [{ to => 'x@example.org' }, 422, 'unknown-recipient', '/to'],
         [{ to => $amina->{id} }, 422, 'same-account', '/to'],
         [{ memo => 'x' x 281 }, 422, 'validation-failed', '/memo'],
         [{ expires_at => '2020-01-01T00:00:00Z' }, 422, 'invalid-hold-time',
          '/expires_at'],
         [{ settles_at => later(400 * 86400) }, 422, 'invalid-hold-time',
          '/settles_at'],
         [{ settles_at => later(60), expires_at => later(60) }, 422,
          'invalid-hold-time', '/settles_at'])
    {
        my ($change, @expected) = @$_;
        is_problem($azora->post('/v1/holds', @amina, fresh(), json => {
            %ask, %$change }), @expected);
    }
    is $azora->value('SELECT count(*) FROM ledger.hold'), 0, 'none so far';

    my @first = (@amina, key => 'h1', json => \%ask);
    $r = $azora->post('/v1/holds', @first);
    is $r->{status}, 201, 'a good one';
    documented($azora, $r, 'POST /v1/holds');
    is $azora->post('/v1/holds', @first)->{body}, $r->{body},
       'a repeat is one';
    wallet_is([10, 4, 6], 'what is held is not available');
    is journaled($azora, 'hold.placed'), 1, 'it is journaled';
    my $id = $r->{json}{id};
    is $r->{headers}{location}, "/v1/holds/$id", 'where it is';
    is $azora->value(q{SELECT round(extract(epoch FROM expires_at
                                            - created_at) / 3600)
                       FROM ledger.hold WHERE id = ?}, $id), 168,
       'it ends after a week unless said otherwise';

    is_problem($azora->post('/v1/wallets/AZR/transfers', @amina, fresh(),
        json => { to => 'chidi@example.org', amount => '6.1' }), 409,
        'insufficient-funds');

    for my $who (\@amina, \@baraka) {
        $r = $azora->get("/v1/holds/$id", @$who);
        documented($azora, $r, 'GET /v1/holds/{id}');
        $r = $azora->get('/v1/holds?state=pending', @$who);
        documented($azora, $r, 'GET /v1/holds');
        is_deeply [map { $_->{id} } @{ $r->{json}{items} }], [$id],
                  'both sides see it';
    }
    is_problem($azora->get("/v1/holds/$id", @chidi), 404, 'not-found');
    is_deeply $azora->get('/v1/holds', @chidi)->{json}{items}, [],
              'nobody else';

    is_problem($azora->post("/v1/holds/$id/$_", @chidi, fresh()), 404,
               'not-found') for qw(post void);
    is_problem($azora->post("/v1/holds/$id/void", @amina, fresh()), 403,
               'wrong-party');
    is_problem($azora->post("/v1/holds/$id/post", @amina, fresh(),
               json => { amount => '3' }), 403, 'wrong-party');
    is_problem($azora->post("/v1/holds/$id/post", @baraka, fresh(),
               json => { amount => '4.1' }), 422, 'amount-out-of-range',
               '/amount');

    my @part = (@baraka, key => 'p1', json => { amount => '1.5' });
    $r = $azora->post("/v1/holds/$id/post", @part);
    is $r->{status}, 200, 'the payee takes a part';
    documented($azora, $r, 'POST /v1/holds/{id}/post');
    is_deeply [@{ $r->{json} }{qw(state posted)}], ['posted', '1.50000000'],
              'it says so';
    is $azora->post("/v1/holds/$id/post", @part)->{body}, $r->{body},
       'a repeat is one';
    wallet_is([8.5, 0, 8.5], 'the rest is free');
    is balance($azora, $baraka, 'AZR'), 150_000_000, 'the part has moved';
    is $azora->get("/v1/transfers/$r->{json}{transfer}", @baraka)
       ->{json}{memo}, 'a room', 'by a transfer with the memo';
    is_problem($azora->post("/v1/holds/$id/$_", @baraka, fresh()), 409,
               'wrong-state') for qw(post void);
    is journaled($azora, 'hold.posted'), 1, 'journaled once';
    my $paid = $azora->get("/v1/holds/$id", @baraka)->{json}{transfer};
    is $azora->post("/v1/transfers/$paid/reversal", @baraka, fresh(),
                    json => { amount => '0.5' })->{json}{reversal_of}, $paid,
       'and can be given back as any payment';
    $azora->post('/v1/wallets/AZR/transfers', @amina, fresh(), json => {
        to => $baraka->{id}, amount => '0.5' });
    is_sound($azora);
};


subtest 'a hold for a handle' => sub {
    $azora->patch('/v1/me', @chidi, json => { handle => 'mama_chidi' });
    my $hold = hold(amount => '1', to => '@mama_chidi');
    is $hold->{to}, '@mama_chidi', 'is for whom it names';
    is_problem($azora->post("/v1/holds/$hold->{id}/post", @baraka, fresh()),
               404, 'not-found');

    $azora->patch('/v1/me', @chidi, json => { handle => 'chidi_2' });
    $azora->patch('/v1/me', @baraka, json => { handle => 'mama_chidi' });
    is_problem($azora->post("/v1/holds/$hold->{id}/post", @baraka, fresh()),
               404, 'not-found');
    is $azora->post("/v1/holds/$hold->{id}/post", @chidi, fresh())
       ->{json}{posted}, '1.00000000', 'whoever has the name by then';
    is balance($azora, $chidi, 'AZR'), 100_000_000, 'so it is theirs';
    is_problem($azora->post('/v1/holds', @amina, fresh(), json => {
        currency => 'AZR', to => '@nobody', amount => '1' }), 422,
        'unknown-recipient', '/to');

    $azora->post('/v1/wallets/AZR/transfers', @chidi, fresh(), json => {
        to => $amina->{id}, amount => '1' });
    is_sound($azora);
};


subtest 'twenty at once end a hold once' => sub {
    my $id = hold(amount => '1')->{id};
    my $journaled = journaled($azora, 'hold.posted')
                    + journaled($azora, 'hold.voided');
    my @answers = at_once($azora, map {
        ['POST', "/v1/holds/$id/" . ($_ % 3 ? 'post' : 'void'),
         @{ $_ % 3 == 1 ? \@amina : \@baraka }, fresh()]
    } 1 .. 20);

    my %seen;
    $seen{"$_->{status} " . ($_->{json}{type} // '')}++ for @answers;
    is_deeply \%seen, { '200 ' => 1, '409 /problems/wrong-state' => 19 },
              'one wins';
    is journaled($azora, 'hold.posted') + journaled($azora, 'hold.voided'),
       $journaled + 1, 'and is journaled';
    is_sound($azora);
};


subtest 'more holds at once than there is money' => sub {
    $azora->post('/v1/wallets/AZR/transfers', @baraka, fresh(), json => {
        to => $amina->{id}, amount => $azora->value(q{
            SELECT (10 * 1e8 - sum(balance)) * 1e-8 FROM ledger.account
            WHERE owner = ? AND currency = 'AZR'}, $amina->{id}) =~ s/0+\z//r
        });
    wallet_is([10, 0, 10], 'ten');

    my @answers = at_once($azora, map {
        ['POST', '/v1/holds', @amina, fresh(), json => { currency => 'AZR',
            to => $_ % 2 ? $baraka->{id} : $chidi->{id}, amount => '0.9' }]
    } 1 .. 20);
    is scalar(grep { $_->{status} == 201 } @answers), 11, 'eleven of 0.9';
    wallet_is([10, 9.9, 0.1], 'and not one more');
    is_sound($azora);

    for (grep { $_->{status} == 201 } @answers) {
        my $payee = $_->{json}{to} eq $baraka->{id} ? \@baraka : \@chidi;
        $r = $azora->post("/v1/holds/$_->{json}{id}/void", @$payee, fresh());
        documented($azora, $r, 'POST /v1/holds/{id}/void');
    }
    wallet_is([10, 0, 10], 'all free again');
    is_sound($azora);
};


subtest 'a walk through all of them' => sub {
    my (@seen, $cursor);
    for (1 .. 30) {
        $r = $azora->get('/v1/holds?limit=2'
                         . ($cursor ? "&cursor=$cursor" : ''), @amina);
        push @seen, map { $_->{id} } @{ $r->{json}{items} };
        hold(amount => '0.0001') if @seen == 4;
        $cursor = $r->{json}{next} // last;
    }
    my @expected = map { $_->{id} } $azora->sql(
        q{SELECT h.id FROM ledger.hold AS h
          WHERE h.id < ? OR h.id = ? ORDER BY h.id DESC}, $seen[0], $seen[0]);
    is_deeply \@seen, \@expected, 'has no gap and no repeat';
    is_problem($azora->get('/v1/holds?cursor=QQ', @amina), 400,
               'invalid-cursor');

    for my $who ($amina, $baraka) {
        for my $state (qw(pending posted voided expired)) {
            is_deeply [map { $_->{id} } @{ $azora->get(
                "/v1/holds?limit=100&state=$state", token => $who->{token})
                ->{json}{items} }],
                [map { $_->{id} } $azora->sql(q{
                    SELECT h.id FROM ledger.hold AS h
                         JOIN ledger.account AS a
                              ON a.id IN (h.account, h.credit)
                    WHERE a.owner = ? AND h.state = ?
                    ORDER BY h.id DESC}, $who->{id}, $state)],
                "$who->{name}: $state ones, newest first";
        }
    }
};


subtest 'time ends holds by itself' => sub {
    my $expires = hold(amount => '1', expires_at => later(2));
    my $settles = hold(amount => '2', settles_at => later(2));
    my $stays = hold(amount => '3', settles_at => later(3600));
    my $money = balance($azora, $baraka, 'AZR');

    poll_until(15, sub { state_of($expires->{id}) ne 'pending'
                         && state_of($settles->{id}) ne 'pending' });
    is_deeply [map { state_of($_->{id}) } $expires, $settles, $stays],
              [qw(expired posted pending)], 'what was due';
    is balance($azora, $baraka, 'AZR'), $money + 200_000_000,
       'what was promised is paid';
    is_problem($azora->post("/v1/holds/$expires->{id}/post", @baraka,
                            fresh()), 409, 'wrong-state');
    is $azora->value(q{
        SELECT max(extract(epoch FROM settled_at
                           - coalesce(settles_at, expires_at)))
               BETWEEN 0 AND 10
        FROM ledger.hold WHERE id IN (?, ?)}, $expires->{id},
        $settles->{id}), 1, 'not before its time, and soon after';
    is journaled($azora, 'hold.expired'), 1, 'journaled';
    is_sound($azora);
};


subtest 'also when the server was away' => sub {
    my $settles = hold(amount => '0.5', settles_at => later(2));
    my $master = $azora->master_pid;
    my $money = balance($azora, $baraka, 'AZR');

    kill QUIT => $master;
    ok poll_until(30, sub { !alive($master) }), 'NGINX is gone';
    ok poll_until(10, sub {
        $azora->value('SELECT now() > settles_at + interval $$1s$$
                       FROM ledger.hold WHERE id = ?', $settles->{id})
    }), 'the time passes';
    is $azora->value('SELECT state FROM ledger.hold WHERE id = ?',
                     $settles->{id}), 'pending', 'nothing happens';

    $azora->start_nginx;
    ok poll_until(15, sub { state_of($settles->{id}) eq 'posted' }),
       'it is made up for';
    is balance($azora, $baraka, 'AZR'), $money + 50_000_000, 'once';
    is_sound($azora);
};


subtest 'frozen wallets wait' => sub {
    my $settles = hold(amount => '0.5', settles_at => later(1));
    my $before = hold(amount => '0.25', settles_at => later(1),
                      to => 'chidi@example.org');

    $azora->sql(q{UPDATE ledger.account SET frozen = true WHERE owner = ?},
                $baraka->{id});
    ok poll_until(15, sub { state_of($before->{id}) eq 'posted' }),
       'what is not frozen is paid';
    is state_of($settles->{id}), 'pending', 'the other is not';
    is_problem($azora->post("/v1/holds/$settles->{id}/post", @baraka,
                            fresh()), 403, 'account-frozen');
    $azora->sql(q{UPDATE ledger.account SET frozen = false});
    ok poll_until(15, sub { state_of($settles->{id}) eq 'posted' }),
       'until it thaws';
    is_sound($azora);
};

done_testing;

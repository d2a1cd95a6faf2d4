#!/usr/bin/perl

# Webhooks: who asks is told, of what was asked for, signed; what fails comes
# again, and nothing is lost when workers die.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until slurp spew);
use Azora::Server;
use Azora::Test;
use Test::More;
use Time::HiRes qw(sleep time);

my $receiver = Azora::Server->start(sub {
    my ($request, $socket) = @_;
    my ($what) = $request->{path} =~ m{^/(\w+)};

    return Azora::Server::answer(200, 'thanks') if $what eq 'good';
    return Azora::Server::answer(302, '', Location => '/good')
        if $what eq 'moved';
    return Azora::Server::answer(410, '') if $what eq 'gone';
    return Azora::Server::answer(503, '', 'Retry-After' => 7000)
        if $what eq 'busy';
    return Azora::Server::answer(200, 'x' x 100_000) if $what eq 'talker';
    if ($what eq 'slow') {
        sleep 0.15;
        return Azora::Server::answer(204, '');
    }
    sleep 60 if $what eq 'hang';
    return Azora::Server::answer(500, 'no');
});

my $azora = Azora::Test->start(
    workers => 2, expect_alert => qr/exited on signal 9/);
my $amina = $azora->user('amina');
my $ben = $azora->user('ben');
my $service = $azora->user('sora', roles => ['service']);
my $admin = $azora->user('adia', roles => ['admin']);
my %secrets;


sub hook {
    my ($who, $path, %more) = @_;
    my $r = $azora->post('/v1/webhooks', token => $who->{token}, json => {
        url => $receiver->url($path), %more });
    die "$r->{status} $r->{body}\n" if $r->{status} != 201;
    $secrets{ $r->{json}{id} } = $r->{json}{secret};
    return $r->{json}{id};
}


# An operation as the API's description names it, with what stands in braces.
sub ask {
    my ($who, $operation, $values, %more) = @_;
    my @values = @$values;
    my ($method, $path) = split / /, $operation =~ s/\{\w+\}/shift @values/ger;
    return $azora->request($method, $path, token => $who->{token}, %more);
}


sub happen {
    my ($who, $type, $n) = @_;
    return $azora->value(<<'SQL', $type, $who->{id}, $n // 0);
SELECT journal.append(?, ?, jsonb_build_object('n', ?::int))
SQL
}


sub soon { return poll_until(12 * $azora->patience, $_[0]) }


sub delivery {
    my ($id, $event) = @_;
    my ($row) = $azora->sql(<<'SQL', $id, $event);
SELECT d.*, j.failures, extract(epoch FROM j.not_before - now()) AS wait
FROM journal.webhook_delivery AS d LEFT JOIN journal.job AS j ON j.id = d.job
WHERE d.webhook = ? AND d.entry = ?
SQL
    return $row || {};
}


# As if the time had passed.
sub hurry {
    my ($where, @values) = @_;
    $azora->sql("UPDATE journal.job SET not_before = now() WHERE $where",
                @values);
    $azora->sql('SELECT journal.wake_jobs()');
}


sub got { return map { $Azora::HTTP::JSON->decode($_->{body}) }
                 messages($_[0]) }


# In the order of the events; they are sent several at a time.
sub messages {
    my %id = map { $_ => $Azora::HTTP::JSON->decode($_->{body})->{id} }
        my @all = $receiver->requests($_[0]);
    return sort { $id{$a} <=> $id{$b} } @all;
}


# What the receivers' library says of messages, one line each.
sub verified {
    my ($secret, @messages) = @_;
    my $tools = `$Azora::Test::ROOT/t/npm/install journal 2>/dev/null`;
    return if $? || !chomp $tools;

    spew("$azora->{dir}/messages", $Azora::HTTP::JSON->encode({
        secret => $secret,
        messages => [map { { headers => $_->{headers}, body => $_->{body} } }
                     @messages] }));
    return split /\n/, `node $Bin/webhooks.mjs $tools \\
                        < $azora->{dir}/messages`;
}


subtest 'addresses' => sub {
    for my $url ('http://example.org/', 'ftp://example.org/',
                 'https://a:b@example.org/', 'https:///x', 'https://a/#b',
                 'https://a/b c', 'example.org/hook')
    {
        my $r = $azora->post('/v1/webhooks', token => $amina->{token},
                             json => { url => $url });
        is $r->{status}, 422, "no: $url";
        is $r->{json}{errors}[0]{pointer}, '/url', 'and which field is told';
    }

    $azora->{opts}{http} = "azora_webhook_http on;\n"
        . 'azora_fetch_allow 127.0.0.1;';
    $azora->write_configuration;
    $azora->reload;
    is $azora->post('/v1/webhooks', token => $amina->{token}, json => {
        url => 'http://127.0.0.1/', types => ['Wrong!'] })->{status}, 422,
        'a type that is none';
};

# it takes 15 seconds, so it begins first
my $hanging = hook($ben, '/hang', types => ['probe.hang']);
my $hung = happen($ben, 'probe.hang');


subtest 'who asks is told' => sub {
    my $r = $azora->post('/v1/webhooks', token => $amina->{token},
        key => 'w1', json => { url => $receiver->url('/good/all'),
                               description => 'everything of mine' });
    is $r->{status}, 201, 'a webhook';
    like $r->{json}{secret}, qr{^whsec_[A-Za-z0-9+/]{43}=$}, 'with a secret';
    my $id = $r->{json}{id};
    $secrets{$id} = $r->{json}{secret};
    is $r->{headers}{location}, "/v1/webhooks/$id", 'and an address';
    is $azora->post('/v1/webhooks', token => $amina->{token}, key => 'w1',
        json => { url => $receiver->url('/good/all'),
                  description => 'everything of mine' })->{body}, $r->{body},
        'a repeated request makes no other';

    my $shown = ask($amina, 'GET /v1/webhooks/{id}', [$id]);
    ok !exists $shown->{json}{secret}, 'the secret is shown once';
    my ($kept) = $secrets{$id} =~ /^whsec_(.*)/;
    is $azora->value(<<'SQL', $kept), 0, 'and is not in the database';
SELECT count(*) FROM journal.webhook AS w, azora.idempotency AS i
WHERE strpos(w::text || i::text, ?) > 0
SQL
    is_deeply [sort keys %{ $shown->{json} }],
        [qw(active created_at description everybody id old_secret_until
            reason types url)], 'nothing else that is not to be seen';

    my $some = hook($amina, '/good/some', types => ['probe.one']);
    my $wide = hook($service, '/good/wide', types => ['probe.one'],
                    everybody => \1);
    my @events = (happen($amina, 'probe.one', 1),
                  happen($amina, 'probe.two', 2),
                  happen($ben, 'probe.one', 3),
                  happen($ben, 'probe.two', 4));

    ok soon(sub { got('/good/wide') == 2 && got('/good/some') == 1
                  && (grep { $_->{type} =~ /probe/ } got('/good/all')) == 2 }),
        'events arrive';
    is_deeply [map { "$_->{type} $_->{data}{n}" } got('/good/wide')],
        ['probe.one 1', 'probe.one 3'], 'a service hears of everybody';
    is_deeply [map { $_->{entry} } got('/good/some')], [$events[0]],
        'one hears of the types one asked for';
    is_deeply [map { $_->{entry} } grep { $_->{type} =~ /^probe/ }
               got('/good/all')], [@events[0, 1]], 'or of all one\'s own';

    my ($message) = messages('/good/some');
    my ($event) = got('/good/some');
    is $event->{specversion}, '1.0', 'it is a CloudEvent';
    is $event->{id}, delivery($some, $events[0])->{seq},
        'with the number of the log';
    is $event->{subject}, $amina->{id}, 'about her';
    like $event->{time}, qr/^20\d\d-.*Z$/, 'of that time';
    is $event->{source}, 'azora.localhost/chronicle', 'out of the log';
    like $message->{headers}{'content-type'},
        qr{^application/cloudevents\+json}, 'and is called so';
    is $message->{method}, 'POST', 'it is posted';
    (my $both = "evt_$events[0]_$some") =~ tr/-//d;
    is $message->{headers}{'webhook-id'}, $both,
        'its id names the event and the webhook';

    is $azora->post('/v1/webhooks', token => $ben->{token}, json => {
        url => $receiver->url('/x'), types => ['a.b'], everybody => \1,
        })->{status}, 403, 'only services hear of everybody';
    $azora->sql("UPDATE identity.account SET roles = '{learner}'
                 WHERE id = ?", $service->{id});
    my $later = happen($ben, 'probe.one', 5);
    happen($amina, 'probe.one', 6);
    ok soon(sub { got('/good/some') == 2 }), 'later';
    is delivery($wide, $later)->{state}, undef,
        'and only as long as they are services';
    is ask({ token => $azora->login('sora') },
        'PATCH /v1/webhooks/{id}', [$wide], json => { active => \0 })
        ->{status}, 200, 'afterwards they can stop it';
    is ask({ token => $azora->login('sora') }, 'PATCH /v1/webhooks/{id}',
        [$wide], json => { active => \1 })->{status}, 403,
        'but not begin again';

    my $list = $azora->get('/v1/webhooks', token => $amina->{token});
    is_deeply [map { $_->{id} } @{ $list->{json}{items} }], [$some, $id],
        'one sees one\'s own';

    my $log = ask($amina, 'GET /v1/webhooks/{id}/deliveries', [$some]);
    my ($first) = reverse @{ $log->{json}{items} };
    is $first->{state}, 'delivered', 'what was sent is told';
    is $first->{history}[0]{outcome}, 'delivered', 'how';
    is $first->{history}[0]{status}, 200, 'and what was answered';
    is $first->{attempts}, 1, 'after one attempt';
};


subtest 'signatures' => sub {
    my $id = hook($ben, '/good/signed', types => ['probe.sign']);
    my $first = $secrets{$id};
    happen($ben, 'probe.sign', 1);
    ok soon(sub { got('/good/signed') == 1 }), 'an event';

    my $r = ask($ben, 'POST /v1/webhooks/{id}/secret', [$id]);
    is $r->{status}, 200, 'a new secret';
    my $second = $r->{json}{secret};
    isnt $second, $first, 'is another one';
    ok $r->{json}{old_secret_until}, 'the old one has its end';
    happen($ben, 'probe.sign', 2);
    ok soon(sub { got('/good/signed') == 2 }), 'another event';

    $azora->sql('UPDATE journal.webhook SET old_until = now() WHERE id = ?',
                $id);
    happen($ben, 'probe.sign', 3);
    ok soon(sub { got('/good/signed') == 3 }), 'and one of the next day';

    my @messages = messages('/good/signed');
    is_deeply [map { scalar split / /, $_->{headers}{'webhook-signature'} }
               @messages], [1, 2, 1], 'for a day there are two signatures';
    my $forged = { %{ $messages[0] },
                   body => $messages[0]{body} =~ s/"n": ?1/"n": 9/r };
    isnt $forged->{body}, $messages[0]{body}, 'one is forged';

    my @lines = verified($first, @messages, $forged);
    SKIP: {
        skip 'npm cannot be reached', 2 if !@lines;
        like "@lines", qr/^ok \d+ ok \d+ No matching .* No matching/,
            'the first secret fits until its end';
        like join(' ', verified($second, @messages)),
            qr/^No matching .* ok \d+ ok \d+$/, 'the second from its begin';
    }
};


subtest 'keys of the node' => sub {
    my $file = "$azora->{dir}/keys/webhook.key";
    is sprintf('%o', (stat $file)[2] & 07777), 600, 'made for its owner only';

    my $id = hook($ben, '/good/keys', types => ['probe.key']);
    my $first = $secrets{$id};
    spew($file, ('a' x 64) . "\n" . slurp($file));
    $azora->reload;
    happen($ben, 'probe.key', 1);
    my $second =
        ask($ben, 'POST /v1/webhooks/{id}/secret', [$id])->{json}{secret};
    happen($ben, 'probe.key', 2);
    ok soon(sub { got('/good/keys') == 2 }), 'with a new key before the old';

    my @messages = messages('/good/keys');
    my @lines = verified($first, @messages);
    SKIP: {
        skip 'npm cannot be reached', 2 if !@lines;
        like "@lines", qr/^ok \d+ ok \d+$/, 'the old secret signs as before';
        like join(' ', (verified($second, @messages))[-1]), qr/^ok \d+$/,
            'a secret of the new key, too';
    }
};


subtest 'answers' => sub {
    my %hooks = map { $_ => hook($service, "/$_", types => ['probe.all']) }
        qw(moved gone busy bad talker);
    my %forbidden = (private => 'http://127.0.0.2/', meta =>
                     'http://169.254.169.254/latest/meta-data');
    for my $name (sort keys %forbidden) {
        $hooks{$name} = $azora->post('/v1/webhooks',
            token => $service->{token}, json => { url => $forbidden{$name},
            types => ['probe.all'] })->{json}{id};
    }
    my $event = happen($service, 'probe.all');
    ok soon(sub {
        !grep { !@{ $Azora::HTTP::JSON->decode(
                delivery($hooks{$_}, $event)->{history} || '[]') } }
            keys %hooks;
    }), 'all are tried';

    my %outcome = map {
        my $log = ask($service, 'GET /v1/webhooks/{id}/deliveries',
                      [$hooks{$_}])->{json};
        $_ => join ' ', map { $_ // '' }
            @{ $log->{items}[0]{history}[0] }{qw(outcome status)};
    } keys %hooks;
    is_deeply \%outcome, {
        moved => 'redirect 302', gone => 'gone 410', bad => 'server_error 500',
        busy => 'server_error 503', talker => 'delivered 200',
        private => 'forbidden ', meta => 'forbidden ',
    }, '2xx is a delivery, and nothing else is';
    is $receiver->requests('/good'), 0, 'no redirect was followed';

    my $bad = delivery($hooks{bad}, $event);
    cmp_ok $bad->{wait}, '<=', 5.5, 'again after five seconds';
    cmp_ok delivery($hooks{busy}, $event)->{wait}, '>', 6900,
        'or when the receiver wants it';
    my $gone = ask($service, 'GET /v1/webhooks/{id}', [$hooks{gone}])->{json};
    is "$gone->{active} $gone->{reason}", '0 gone',
        'who is gone is left alone';
    is $azora->value(<<'SQL', $hooks{gone}), 1, 'which is journaled';
SELECT count(*) FROM journal.entry AS e JOIN journal.payload AS p
       ON p.entry = e.id
WHERE e.type = 'webhook.disabled' AND p.body ->> 'webhook' = ?
SQL
    is ask($service, 'POST /v1/webhooks/{id}/test', [$hooks{gone}])
        ->{json}{type},
        '/problems/webhook-inactive', 'and cannot be tested';
    my $r = ask($service, 'PATCH /v1/webhooks/{id}', [$hooks{gone}],
        json => { active => \1, url => $receiver->url('/good/back') });
    is "$r->{status} $r->{json}{active}", '200 1', 'but may come back';
    hurry('id = ?', delivery($hooks{gone}, $event)->{job});
    ok soon(sub { got('/good/back') == 1 }), 'and is told what waited';

    for my $n (2 .. 10) {
        hurry('id = ?', $bad->{job});
        ok soon(sub { delivery($hooks{bad}, $event)->{attempts} == $n }),
            "attempt $n";
        cmp_ok delivery($hooks{bad}, $event)->{wait}, '>', 299,
            'five minutes and more' if $n == 2;
    }
    is delivery($hooks{bad}, $event)->{state}, 'failed', 'ten are the last';
    my %ids = map { $_->{headers}{'webhook-id'} => 1 }
        $receiver->requests('/bad');
    is keys %ids, 1, 'all had the same id';

    my ($letter) = @{ $azora->get('/v1/admin/dead-letters?consumer=webhook',
        token => $admin->{token})->{json}{items} };
    is $letter->{error}, 'server_error', 'it is a dead letter';
    ask($service, 'PATCH /v1/webhooks/{id}', [$hooks{bad}], json => {
        url => $receiver->url('/good/mended') });
    is $azora->post("/v1/admin/dead-letters/$letter->{id}/replay",
        token => $admin->{token})->{status}, 200, 'which is replayed';
    ok soon(sub { delivery($hooks{bad}, $event)->{state} eq 'delivered' }),
        'and delivered';

    is ask($service, 'POST /v1/webhooks/{id}/deliveries/{event}/retry',
           [$hooks{bad}, $event])->{status},
        202, 'the owner may ask for it again';
    ok soon(sub { $receiver->requests('/good/mended') == 2 }), 'and gets it';
    my @again = map { $_->{headers}{'webhook-id'} }
        $receiver->requests('/good/mended');
    is $again[0], $again[1], 'under the same id';
    is ask($service, 'POST /v1/webhooks/{id}/deliveries/{event}/retry',
           [$hooks{bad}, '00000000-0000-7000-8000-000000000000'])
        ->{status}, 404,
        'but not what there never was';
};


subtest 'test events' => sub {
    my $id = hook($ben, '/good/test', types => ['no.such']);
    my $other = hook($ben, '/good/other');
    my $r = ask($ben, 'POST /v1/webhooks/{id}/test', [$id]);
    is $r->{status}, 202, 'a test';
    ok soon(sub { got('/good/test') == 1 }), 'arrives whatever was asked for';
    my ($event) = got('/good/test');
    is "$event->{type} $event->{entry}", "webhook.tested $r->{json}{event}",
        'as what it is';
    is 0, (grep { $_->{type} eq 'webhook.tested' } got('/good/other')),
        'at no other';

    my $waiting = hook($ben, '/good/erased', types => ['probe.erase']);
    ask($ben, 'PATCH /v1/webhooks/{id}', [$waiting], json => { active => \0 });
    $azora->sql('UPDATE journal.webhook SET active = true, reason = NULL
                 WHERE id = ?', $waiting);
    my $dbh = $azora->dbh;
    $dbh->do("SELECT pg_advisory_lock(hashtext('journal.claim_webhooks'))");
    my $erased = happen($ben, 'probe.erase');
    ok soon(sub { delivery($waiting, $erased)->{job} }), 'an event waits';
    $azora->sql('DELETE FROM journal.payload WHERE entry = ?', $erased);
    $dbh->disconnect;
    ok soon(sub { delivery($waiting, $erased)->{state} eq 'erased' }),
        'what was erased before it was sent';
    is $receiver->requests('/good/erased'), 0, 'is not sent';

    my $cleo = $azora->user('cleo');
    my $locked = hook($cleo, '/good/locked', types => ['probe.lock']);
    my $barrier = hook($ben, '/good/barrier', types => ['probe.lock']);
    happen($cleo, 'probe.lock');
    ok soon(sub { got('/good/locked') == 1 }), 'she is told';
    $azora->sql('UPDATE identity.account SET locked = true WHERE id = ?',
                $cleo->{id});
    happen($cleo, 'probe.lock');
    happen($ben, 'probe.lock');
    ok soon(sub { got('/good/barrier') == 1 }), 'others are told';
    is $receiver->requests('/good/locked'), 1,
        'whoever is locked out is told nothing more';

    is ask($ben, 'DELETE /v1/webhooks/{id}', [$other])->{status}, 204,
        'a webhook is removed';
    is ask($ben, 'GET /v1/webhooks/{id}', [$other])->{status}, 404, 'and gone';
    is $azora->value('SELECT count(*) FROM journal.webhook_delivery
                      WHERE webhook = ?', $other), 0, 'with its log';
};


subtest 'bounds' => sub {
    my $id = hook($amina, '/good/full', types => ['probe.full']);
    $azora->sql(<<'SQL', $id, $amina->{id});
INSERT INTO journal.job (id, kind, lane, subject, payload, not_before)
SELECT azora.uuid7(), 'webhook', ?, ?, '{}', now() + interval '1 hour'
FROM generate_series(1, 9999)
SQL
    happen($amina, 'probe.full');
    ok soon(sub {
        ask($amina, 'GET /v1/webhooks/{id}', [$id])->{json}{active} == 0;
    }),
        'who does not take ten thousand events gets no more';
    is ask($amina, 'GET /v1/webhooks/{id}', [$id])->{json}{reason},
        'overflow', 'and sees why';
    is $azora->value(<<'SQL', $id), 1, 'which is journaled, too';
SELECT count(*) FROM journal.entry AS e JOIN journal.payload AS p
       ON p.entry = e.id
WHERE e.type = 'webhook.disabled' AND p.body ->> 'webhook' = ?
SQL
    is ask($amina, 'DELETE /v1/webhooks/{id}', [$id])->{status}, 204,
        'all that can be removed';
    is $azora->value("SELECT count(*) FROM journal.job WHERE lane = ?", $id),
        0, 'at once';

    my $r;
    for (1 .. 11) {
        $r = $azora->post('/v1/webhooks', token => $amina->{token}, json => {
            url => $receiver->url('/good/n'), types => ['a.b'] });
        last if $r->{status} != 201;
    }
    is $r->{json}{type}, '/problems/webhook-limit', 'ten for each account';
};


subtest 'who does not answer' => sub {
    ok poll_until(30 * $azora->patience, sub {
        (delivery($hanging, $hung)->{attempts} || 0) >= 1;
    }), 'it is over';
    my ($item) = @{ ask($ben, 'GET /v1/webhooks/{id}/deliveries', [$hanging])
                    ->{json}{items} };
    is $item->{history}[0]{outcome}, 'timeout', 'by a timeout';
    cmp_ok $item->{history}[0]{took_ms}, '>=', 14900, 'after 15 seconds';
    is ask($ben, 'DELETE /v1/webhooks/{id}', [$hanging])->{status}, 204,
        'nobody waits for it';
};


subtest 'two nodes, and workers that die' => sub {
    my $other = Azora::Test->start(
        workers => 1, expect_alert => qr/exited on signal 9/,
        http => $azora->{opts}{http}, edit => sub {
            my $dir = $azora->{dir};
            s{[^"\s;]*/secrets/postgres\.conf}{$dir/secrets/postgres.conf}g;
            s{"[^"]*/keys/(chronicle|webhook)\.key"}{"$dir/keys/$1.key"}g;
        });
    my $id = hook($service, '/slow', types => ['probe.kill']);
    my @events = map { happen($service, 'probe.kill', $_) } 1 .. 24;

    for my $at (4, 9, 15) {
        ok poll_until(30 * $azora->patience, sub {
            $receiver->requests('/slow') >= $at;
        }), "$at are there";
        kill KILL => $azora->worker_pids, $other->worker_pids;
        $_->wait_ready for $azora, $other;

        # as if the lease of what the dead was sending had ended, before
        # anything else was due
        $azora->sql('UPDATE journal.job SET not_before = created_at
                     WHERE lane = ? AND lease IS NOT NULL', $id);
        hurry('false');
    }

    ok poll_until(30 * $azora->patience, sub {
        !$azora->value("SELECT count(*) FROM journal.job WHERE lane = ?",
                       $id);
    }), 'all is sent in the end';
    my (%times, @order);
    for my $message ($receiver->requests('/slow')) {
        my $event = $Azora::HTTP::JSON->decode($message->{body});
        push @order, $event->{data}{n} if !$times{ $event->{entry} }++;
        is $message->{headers}{'webhook-id'} =~ tr/-//, 0, 'an id without -';
    }
    is_deeply [sort keys %times], [sort @events], 'nothing is lost';
    is_deeply [sort { $a <=> $b } @order], [1 .. 24], 'nothing is made up';
    is scalar(grep { abs($order[$_] - $_ - 1) > 3 } 0 .. 23), 0,
        'and none overtakes more than the four that are sent at a time'
        or diag "@order";
    my $repeated = grep { $_ > 1 } values %times;
    cmp_ok $repeated, '<=', 3 * 4, 'at most what was on its way comes twice';
    my %ids;
    $ids{ $_->{headers}{'webhook-id'} }++ for $receiver->requests('/slow');
    is keys %ids, 24, 'and under the same id';
};


subtest 'counted' => sub {
    my $page = $azora->get('/metrics')->{body};
    for my $outcome (qw(delivered redirect gone server_error forbidden
                        timeout))
    {
        like $page,
            qr/^nexus_webhook_attempts_total\{outcome="$outcome"\} [1-9]/m,
            $outcome;
    }
};


done_testing;

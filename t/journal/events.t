#!/usr/bin/env perl

# GET /v1/events: who gets what, from which number on, in which form; what is
# refused; how a stream ends.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Chronicle qw(append is_numbered);
use Azora::Events;
use Azora::HTTP;
use Azora::Process qw(poll_until slurp spew);
use Azora::Test;
use Azora::Token;
use Test::More;
use Time::HiRes qw(time);

my $azora = Azora::Test->start(workers => 2, http => <<'END');
azora_events_heartbeat 1s;
azora_events_per_account 3;
END

my $JSON = $Azora::HTTP::JSON;
my $long = 10 * $azora->patience;
my ($pem) = glob "$azora->{dir}/keys/*.pem";
my $amina = $azora->user('amina');
my $badru = $azora->user('badru');
my $service = $azora->user('service', roles => ['service']);
my $auditor = $azora->user('auditor', roles => ['auditor']);

ok is_numbered($azora), 'there are events';

# All of them, as PostgreSQL has them
sub numbers {
    my ($where, @values) = @_;
    return map { $_->{seq} } $azora->sql(qq{
        SELECT e.seq FROM journal.entry AS e
               JOIN journal.payload AS p ON p.entry = e.id
        WHERE $where ORDER BY e.seq}, @values);
}

sub ids { return map { $_->{id} } @{ $_[0]{events} } }

sub refused {
    my ($status, $problem, $path, %opts) = @_;
    my $r = $azora->get($path, %opts);
    is $r->{status}, $status, "$path: $status";
    like $r->{json}{type} || '', qr{/problems/\Q$problem\E\z}, "... $problem";
    return $r;
}

subtest 'GET /v1/events' => sub {
    my $events = Azora::Events->new($azora);
    my $stream = $events->follow(token => $amina->{token},
                                 query => 'last_event_id=-1');
    ok $events->run($long, sub { $stream->{retry} }), 'it begins';
    like $stream->{head}, qr{^Content-Type: text/event-stream\r$}m, 'its type';
    like $stream->{head}, qr{^Cache-Control: no-store\r$}m, 'never cached';
    unlike $stream->{head}, qr{^Transfer-Encoding}m,
        'the connection ends with it';
    cmp_ok $stream->{retry}, '>=', 1000, 'when to come back';
    ok $events->run($long, sub { $stream->{beats} > 1 }), 'it beats';

    is $azora->head('/v1/events', token => $amina->{token})->{status}, 200,
        'HEAD ends at once';
    $events->leave_all;
};

subtest 'events are CloudEvents' => sub {
    my $events = Azora::Events->new($azora);
    my $stream = $events->follow(token => $service->{token}, query =>
        'last_event_id=-1&type=user.registered,user.logged_in');
    my @expected = numbers(
        q{e.type IN ('user.registered', 'user.logged_in')});
    ok $events->run($long, sub { @{ $stream->{events} } >= @expected }),
        'all there are';
    is_deeply [ids($stream)], \@expected, 'in order';
    $events->leave_all;

    my @parsed = map { $JSON->decode($_->{data}) } @{ $stream->{events} };
    my $first = $parsed[0];
    my ($row) = $azora->sql(q{
        SELECT e.id, e.type, p.subject, p.body,
               azora.rfc3339(p.created_at) AS at
        FROM journal.entry AS e JOIN journal.payload AS p ON p.entry = e.id
        WHERE e.seq = ?}, $expected[0]);
    is_deeply $first, {
        specversion => '1.0', id => "$expected[0]",
        source => 'azora.localhost/chronicle', type => $row->{type},
        subject => $row->{subject}, time => $row->{at}, entry => $row->{id},
        traceparent => $first->{traceparent},
        datacontenttype => 'application/json',
        data => $JSON->decode($row->{body}),
    }, 'with what happened';
    like $first->{traceparent}, qr/\A00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]\z/,
        'and the request that did it';

    my $tools = `$Azora::Test::ROOT/t/npm/install`;
    plan skip_all => 'npm or its registry is missing' if $? >> 8 == 3;
    chomp $tools;
    spew("$azora->{dir}/events.json",
         '[' . join(',', map { $_->{data} } @{ $stream->{events} }) . ']');
    spew("$azora->{dir}/check.js", <<'END');
const { CloudEvent } = require("cloudevents");
const read = JSON.parse(require("fs").readFileSync(process.argv[2]));
for (const event of read) { new CloudEvent(event, true).validate(); }
try { new CloudEvent({ ...read[0], type: "" }, true); console.log("lax"); }
catch (e) { console.log(`${read.length} valid`); }
END
    is `NODE_PATH=$tools/node_modules node $azora->{dir}/check.js \\
        $azora->{dir}/events.json 2>&1`, @parsed . " valid\n",
        'the CNCF\'s SDK takes each of them strictly';
};

subtest 'everybody gets their own' => sub {
    my $events = Azora::Events->new($azora);
    my %stream = map { $_->{id} => $events->follow(token => $_->{token}) }
                 $amina, $badru;
    ok $events->run($long, sub {
        return 2 == grep { defined $_->{last} } values %stream;
    }), 'two people listen';

    append($azora, $amina->{id}, 3);
    append($azora, $badru->{id}, 2);
    append($azora, $amina->{id}, 1);
    ok is_numbered($azora), 'something happens to them';
    ok $events->run($long, sub {
        return @{ $stream{$amina->{id}}{events} } >= 4
            && @{ $stream{$badru->{id}}{events} } >= 2;
    }), 'they hear of it';
    $events->run(0.5);

    for my $who ($amina, $badru) {
        my $stream = $stream{$who->{id}};
        is_deeply [ids($stream)],
            [numbers(q{p.subject = ? AND e.type = 'test.counted'},
                     $who->{id})], "$who->{name}: of all";
        is scalar(grep { $JSON->decode($_->{data})->{subject} ne $who->{id} }
                  @{ $stream->{events} }), 0, '... and of nothing else';
    }

    $events->leave_all;
};

subtest 'who may follow others' => sub {
    my $path = '/v1/events?type=test.counted';

    refused(403, 'forbidden', $path, token => $amina->{token});
    refused(401, 'authentication-required', '/v1/events');
    refused(422, 'validation-failed', "/v1/events?type=$_",
            token => $service->{token})
        for 'a.b,', 'A.B', 'ab', 'a.b,,c.d', join ',', ('a.b') x 9;
    refused(422, 'validation-failed', '/v1/events?last_event_id=x',
            token => $amina->{token});
    refused(400, 'invalid-event-id', '/v1/events', token => $amina->{token},
            headers => { 'Last-Event-ID' => $_ }) for '-1', '1x', '9' x 30;

    my $events = Azora::Events->new($azora);
    my @streams = map { $events->follow(token => $_->{token},
                          query => 'type=test.counted') } $service, $auditor;
    ok $events->run($long, sub { 2 == grep { $_->{last} } @streams }), 'two do';
    append($azora, $_->{id}, 1) for $amina, $badru;
    ok $events->run($long, sub { 2 == grep { @{ $_->{events} } == 2 }
                                 @streams }), 'and hear of both';
    $events->leave_all;
};

subtest 'going on' => sub {
    my @all = numbers('p.subject = ?', $amina->{id});
    my $events = Azora::Events->new($azora);
    my $stream = $events->follow(token => $amina->{token}, last => $all[-3],
                                 query => "last_event_id=$all[0]");
    ok $events->run($long, sub { @{ $stream->{events} } >= 2 }),
        'the header wins over the address';
    is_deeply [ids($stream)], [@all[-2, -1]], 'what came after it';
    $events->leave($stream);

    my $size = $azora->value('SELECT size FROM journal.tree');
    $stream = $events->follow(token => $amina->{token},
                              query => 'last_event_id=' . ($size + 500));
    ok $events->run($long, sub { @{ $stream->{events} } }),
        'a number that never was';
    my ($gap) = @{ $stream->{events} };
    is $gap->{event}, 'gap', '... is a gap';
    is_deeply $JSON->decode($gap->{data}),
        { reason => 'ahead', from => $size, to => $size + 500 }, '... said so';
    is $gap->{id}, $size - 1, '... and the place to go on from';
    append($azora, $amina->{id}, 1);
    ok $events->run($long, sub { @{ $stream->{events} } == 2 }),
        '... from where it goes on';
    is $stream->{events}[1]{id}, $size, '... with the next';
    $events->leave_all;
};

subtest 'what was erased' => sub {
    append($azora, $badru->{id}, 5);
    ok is_numbered($azora), 'five events';
    my @five = (numbers('p.subject = ?', $badru->{id}))[-5 .. -1];
    $azora->sql('DELETE FROM journal.payload AS p USING journal.entry AS e
                 WHERE e.id = p.entry AND e.seq = ANY (?)', [@five[1, 2, 4]]);

    # fresh ones are in the workers' memory, older ones are read again
    for my $place ('from memory', 'from the table') {
        my $events = Azora::Events->new($azora);
        my $stream = $events->follow(token => $service->{token},
            last => $five[0] - 1, query => 'type=test.counted');
        my %seen;

        ok $events->run($long, sub {
            %seen = map {
                my $event = $JSON->decode($_->{data});
                $_->{event} eq 'gap'
                    ? map { $_ => $event->{reason} }
                      $event->{from} .. $event->{to}
                    : ($event->{id} => 'there')
            } @{ $stream->{events} };
            return $seen{$five[4]};
        }), "what is left comes, $place";
        is join(' ', map { $seen{$_} || 'nothing' } @five),
           'there erased erased there erased', '... with gaps in their places';
        is $stream->{events}[1]{id}, $five[2], '... neighbours are one'
            if $place eq 'from the table';
        $events->leave_all;
        append($azora, $amina->{id}, 600);
        ok is_numbered($azora), 'many more';
    }
};

subtest 'too many streams' => sub {
    my $before = sub {
        $azora->get('/metrics')->{body} =~ /^nexus_sse_connections (\d+)$/m;
        return $1;
    };
    ok poll_until($long, sub { $before->() == 0 }), 'all have left';
    my $events = Azora::Events->new($azora);
    my @streams = map { $events->follow(token => $amina->{token}, wait => 9) }
                  1 .. 12;
    ok $events->run($long, sub {
        return 12 == grep { $_->{opened} || $_->{refused} } @streams;
    }), 'twelve ask';
    my @in = grep { $_->{status} == 200 } @streams;
    cmp_ok scalar @in, '<=', 6, 'at most three for each of two workers';
    my ($out) = grep { $_->{status} != 200 } @streams;
    is $out->{status}, 429, 'others wait';
    like $out->{head}, qr/^Retry-After: [1-5]\r$/m, '... and know how long';
    like $out->{body}, qr{/problems/too-many-streams"}, '... and why';
    ok poll_until($long, sub { $before->() == @in }), 'the metric counts them';
    $events->leave_all;
    ok poll_until($long, sub { $before->() == 0 }), 'and that they left';
};

subtest 'the end of a token and of a session' => sub {
    my $claims = sub {
        my $row = ($azora->sql('SELECT id FROM identity.session
            WHERE account = ? ORDER BY id DESC LIMIT 1', $badru->{id}))[0];
        return { sub => $badru->{id}, roles => ['learner'], sid => $row->{id},
                 scope => 'profile:read', @_ };
    };
    my $events = Azora::Events->new($azora);
    my $begin = time;
    my $short = $events->follow(once => 1, token => Azora::Token::make($pem,
        claims => $claims->(exp => int($begin) + 3)));
    my $whole = $events->follow(once => 1, token => Azora::Token::make($pem,
        claims => $claims->()));
    ok $events->run($long, sub { $short->{closed} }), 'a token expires';
    cmp_ok time, '<', int($begin) + 8 * $azora->patience,
        '... its stream with it, half an hour early';
    is $whole->{closed}, 0, '... and no other';

    my $token = $azora->login('badru');
    my $mine = $events->follow(token => $badru->{token}, once => 1);
    my $other = $events->follow(token => $token, once => 1);
    ok $events->run($long, sub { $mine->{last} && $other->{last} }),
        'two logins';
    $events->leave($whole);
    is $azora->post('/v1/auth/logout', token => $token, json => {})->{status},
        204, 'one logs out';
    ok $events->run($long, sub { $other->{closed} }), '... its stream closes';
    is $mine->{closed}, 0, '... and no other';

    $azora->sql('SELECT identity.raise_epoch(?)', $badru->{id});
    ok $events->run($long, sub { $mine->{closed} }),
        'roles change: all streams of the account close';
    $events->leave_all;
};

done_testing;

# Trace context and request ids as clients, upstreams and logs see them.

use strict;
use warnings;

use Test::More;

use Azora::Test;

my $azora = Azora::Test->start(server => <<'CONF');
    location = /t/ids {
        default_type application/json;
        return 200 '{"trace":"$azora_trace_id","span":"$azora_span_id",
            "parent":"$azora_parent_id","request":"$azora_request_id",
            "traceparent":"$azora_traceparent",
            "tracestate":"$azora_tracestate"}';
    }

    location = /t/upstream {
        proxy_set_header traceparent $azora_traceparent;
        proxy_set_header tracestate $azora_tracestate;
        proxy_pass http://127.0.0.1:$server_port/t/ids;
    }
CONF

my $TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
my $SPAN  = '00f067aa0ba902b7';


sub ids {
    my ($path, @headers) = @_;
    return $azora->get($path, headers => \@headers)->{json};
}


subtest 'a request without a trace begins one' => sub {
    my ($one, $other) = (ids('/t/ids'), ids('/t/ids'));

    like $one->{trace}, qr/\A[0-9a-f]{32}\z/, 'a trace id';
    like $one->{span}, qr/\A[0-9a-f]{16}\z/, 'a span id';
    is $one->{parent}, '', 'no parent';
    is $one->{request}, $one->{trace}, 'the request id is the trace id';
    is $one->{traceparent}, "00-$one->{trace}-$one->{span}-00",
        'what goes on';
    isnt $other->{trace}, $one->{trace}, 'the next request has another';
};

subtest 'a request within a trace continues it' => sub {
    my $ids = ids('/t/ids', ['traceparent', "00-$TRACE-$SPAN-01"],
                  ['tracestate', 'vendor=opaque']);

    is $ids->{trace}, $TRACE, 'the same trace';
    is $ids->{parent}, $SPAN, 'the caller is the parent';
    isnt $ids->{span}, $SPAN, 'with a span of our own';
    is $ids->{traceparent}, "00-$TRACE-$ids->{span}-01", 'which goes on';
    is $ids->{tracestate}, 'vendor=opaque', 'with the state';

    $ids = ids('/t/ids', ['traceparent', "00-$TRACE-$SPAN-01"],
               ['tracestate', 'a=1,b=2'], ['tracestate', 'c=3']);
    is $ids->{tracestate}, 'a=1,b=2,c=3', 'whose parts stay together';
};

subtest 'a malformed trace is replaced and its state dropped' => sub {
    for my $value ("00-$TRACE-$SPAN-01-x", "ff-$TRACE-$SPAN-01",
                   "00-@{[ '0' x 32 ]}-$SPAN-01", uc "00-$TRACE-$SPAN-01",
                   'x' x 4000)
    {
        my $ids = ids('/t/ids', ['traceparent', $value],
                      ['tracestate', 'vendor=opaque']);
        my $name = substr $value, 0, 60;

        isnt $ids->{trace}, $TRACE, "$name: a new trace";
        is $ids->{tracestate}, '', "$name: no state";
    }
};

subtest 'an upstream sees our span as its parent' => sub {
    my $there = ids('/t/upstream', ['traceparent', "00-$TRACE-$SPAN-01"],
                    ['tracestate', 'vendor=opaque']);

    is $there->{trace}, $TRACE, 'the same trace';
    isnt $there->{parent}, $SPAN, 'another parent';
    is $there->{tracestate}, 'vendor=opaque', 'the same state';
};

subtest 'the client may name the request' => sub {
    is ids('/t/ids', ['X-Request-Id', 'order-17.b_2'])->{request},
        'order-17.b_2', 'with letters, digits, dots, dashes';

    for my $bad ('short', 'has blanks in it', 'a' x 129, "quote\"quote") {
        my $ids = ids('/t/ids', ['X-Request-Id', $bad]);
        is $ids->{request}, $ids->{trace}, "but not '" . substr($bad, 0, 20)
            . "'";
    }
};

subtest 'a problem names the request it belongs to' => sub {
    my $r = $azora->get('/v1/nothing-here',
                        headers => { 'X-Request-Id' => 'order-17.b_2' });

    is $r->{status}, 404, 'a refusal';
    is $r->{json}{request_id}, 'order-17.b_2', 'the request id';
};

subtest 'workers do not repeat one another' => sub {
    my %seen;

    for my $round (1 .. 2) {
        $seen{ ids('/t/ids')->{trace} }++ for 1 .. 100;
        $azora->reload if $round == 1;
    }

    is keys %seen, 200, '200 ids of several workers';
};

done_testing;

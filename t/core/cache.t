#!/usr/bin/perl

# The response cache: one query for many, nothing older than it may be,
# nothing that is somebody's own.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Probe qw(together);
use Azora::Process qw(poll_until slurp);
use Azora::Test;
use Test::More;
use Time::HiRes qw(sleep time);

my $azora = Azora::Probe->start(
    workers => 2,
    postgres => 'own',
    # the memory of the node alone
    http => 'azora_cache size=512k stale=20s redis=0;',
    expect_alert => qr/exited on signal 9/,
);

my $n = 1;


sub counter {
    my ($name) = @_;
    my ($value) = $azora->get('/metrics')->{body} =~ /^\Q$name\E (\d+)$/m;
    return $value || 0;
}


sub outcome { return counter(qq(azora_cache_requests_total{outcome="$_[0]"})) }


sub queries {
    my ($more) = @_;
    return counter('db_client_operation_duration_seconds_count'
                   . '{db_operation_name="probe.kept"' . ($more // '') . '}');
}


sub cache_status { return $_[0]{headers}{'cache-status'} // 'none' }


sub current {
    my $value = $azora->value(q(SELECT azora.bump('catalogue')));
    return poll_until(5 * $azora->patience, sub {
        my $tag = $azora->get('/v1/courses')->{headers}{etag};
        return $azora->generation_of($tag) == $value;
    });
}


# For a moment between two listeners nobody is told of changes.
sub listening {
    return poll_until(5 * $azora->patience, sub {
        exists $azora->get('/v1/courses')->{headers}{etag};
    });
}


ok current(), 'generations are known';


subtest 'an answer is given again' => sub {
    my $path = '/probe/catalogue?n=' . $n++;
    my $first = $azora->get($path);

    is $first->{status}, 200, 'the first';
    is cache_status($first), 'azora; fwd=uri-miss; stored', 'is asked for';
    ok !exists $first->{headers}{age}, 'and has no age';

    my $before = queries();
    my $hits = outcome('hit');
    my @again = map { $azora->get($path) } 1 .. 6;

    is +(grep { $_->{body} eq $first->{body} } @again), 6,
        'the others are the same, on all workers';
    is +(grep { cache_status($_) =~ /^azora; hit; ttl=(?:599|600)$/ } @again),
        6, 'and say so';
    is +(grep { ($_->{headers}{age} // '') =~ /^[0-9]$/ } @again), 6,
        'with their age';
    is +(grep { $_->{headers}{etag} eq $first->{headers}{etag} } @again), 6,
        'and the tag';
    is queries(), $before, 'without a query';
    is outcome('hit') - $hits, 6, 'they are counted';

    my $head = $azora->head($path);
    is $head->{status}, 200, 'HEAD is a GET';
    like cache_status($head), qr/; hit;/, 'of the same answer';
    is $head->{headers}{'content-length'}, length $first->{body},
        'and as long';
    is $head->{body}, '', 'without it';

    my $r = $azora->get($path, headers => [
        ['If-None-Match', $first->{headers}{etag}]]);
    is $r->{status}, 304, 'a copy that a client has is confirmed';

    is $azora->get($path, headers => [['Accept', 'text/html']])->{body},
        $first->{body}, 'what a client prefers makes no other JSON';
};


subtest 'another question is another answer' => sub {
    my $one = $azora->get("/probe/catalogue?n=5&size=3");

    is $azora->get('/probe/catalogue?size=3&n=5')->{body}, $one->{body},
        'the order of parameters is no difference';
    isnt $azora->get('/probe/catalogue?n=5&size=4')->{body}, $one->{body},
        'a value is';
    isnt $azora->get('/probe/catalogue?n=5')->{body}, $one->{body},
        'and its absence';
    isnt $azora->get('/probe/kept?n=5&size=3')->{body}, $one->{body},
        'and the row';
    is $azora->get('/probe/catalogue?n=5&size=3&more=1')->{status}, 422,
        'what is not allowed does not get through to the cache';
};


subtest 'nobody sees what is somebody else\'s' => sub {
    my $amina = $azora->user('amina');
    my $path = '/probe/catalogue?n=' . $n++;
    my $r = $azora->get($path, token => $amina->{token});

    is $r->{json}{who}, undef, 'a public row is not told who asks';
    is $azora->get($path)->{body}, $r->{body}, 'so that all may have it';

    my $own = $azora->get('/v1/me', token => $amina->{token});
    is cache_status($own), 'none', 'what belongs to somebody is not cached';
};


subtest 'a hundred at once are one query' => sub {
    my $path = '/probe/catalogue?wait=300&n=' . $n++;
    my $before = queries();
    my $collapsed = outcome('collapsed');
    my @answers = together($azora, map { ['GET', $path] } 1 .. 100);

    my %bodies = map { $_->{body} => 1 } @answers;
    is +(grep { $_->{status} == 200 } @answers), 100, 'all are answered';
    is keys %bodies, 1, 'alike';
    is queries() - $before, 1, 'by one query';
    is outcome('collapsed') - $collapsed, 99, 'which 99 waited for';
    is +(grep { cache_status($_) eq 'azora; fwd=uri-miss; collapsed' }
         @answers), 99, 'and say so';
};


subtest 'what fails is not kept' => sub {
    my $before = queries();

    is $azora->get('/probe/catalogue?n=-1')->{status}, 404, 'a refusal'
        for 1 .. 3;
    is queries() - $before, 3, 'is asked for each time';

    $before = queries();
    my $path = '/probe/catalogue?n=-2&wait=200';
    my @answers = together($azora, map { ['GET', $path] } 1 .. 40);
    is +(grep { $_->{json}{type} eq '/problems/not-found' } @answers), 40,
        'those who wait together share it';
    cmp_ok queries() - $before, '<=', 4, 'and hardly ask twice';

    is $azora->get('/probe/catalogue?n=0')->{status}, 500, 'an error'
        for 1 .. 2;
    is queries(',error_type="error"'), 2, 'is asked for each time';
};


subtest 'a change shows at once' => sub {
    my $path = '/probe/catalogue?n=' . $n++;
    my $old = $azora->get($path);
    my $purged = counter('azora_cache_purged_total');

    ok current(), 'the catalogue moves';
    my $new = $azora->get($path);
    isnt $new->{body}, $old->{body}, 'the answer is new';
    is cache_status($new), 'azora; fwd=stale; stored', 'and was asked for';
    isnt $new->{headers}{etag}, $old->{headers}{etag}, 'its tag is new';
    cmp_ok counter('azora_cache_purged_total'), '>', $purged, 'it is counted';

    # the change comes while the answer to the old state is on its way
    $path = '/probe/catalogue?wait=600&n=' . $n++;
    my $slow = $azora->connect;
    $slow->write(Azora::HTTP::format_request('GET', $path));
    sleep 0.1;
    ok current(), 'the catalogue moves again';
    my $late = $azora->get($path);
    my $early = $slow->read_response;
    isnt $late->{body}, $early->{body}, 'who asks later is not given that';
    isnt $late->{headers}{etag}, $early->{headers}{etag},
        'and not under its tag';
    is $azora->get($path)->{body}, $late->{body}, 'the later one is kept';
};


subtest 'past its time' => sub {
    my $path = '/probe/kept?n=' . $n++;
    my $old = $azora->get($path);
    my $stale;

    ok poll_until(10 * $azora->patience, sub {
        my $r = $azora->get($path);
        $stale = $r if cache_status($r) =~ /^azora; hit; ttl=(?:0|-\d)$/;
        return $r->{body} ne $old->{body};
    }), 'there is a new one at last';
    is $stale->{body}, $old->{body}, 'and the old one until it was there';

    $path .= '&wait=1500';
    $old = $azora->get($path);
    sleep 2.1;
    my $before = queries();
    my $began = time;
    my @meanwhile = together($azora, map { ['GET', $path] } 1 .. 30);
    is +(grep { $_->{body} eq $old->{body} } @meanwhile), 30,
        'nobody waits for the new one';
    cmp_ok time - $began, '<', 1.4, 'really';
    ok poll_until(10 * $azora->patience, sub {
        return $azora->get($path)->{body} ne $old->{body};
    }), 'which comes';
    is queries() - $before, 1, 'from one query';
};


subtest 'who asked first leaves' => sub {
    my $path = '/probe/catalogue?wait=400&n=' . $n++;
    my $before = queries();
    my $first = $azora->connect;

    $first->write(Azora::HTTP::format_request('GET', $path));
    sleep 0.1;
    my @others = map { $azora->connect } 1 .. 10;
    $_->write(Azora::HTTP::format_request('GET', $path)) for @others;
    sleep 0.1;
    $first->reset;
    $others[0]->reset;

    is +(grep { $_->read_response->{status} == 200 } @others[1 .. 9]), 9,
        'the others do not notice';
    is queries() - $before, 1, 'and nobody asks again';
};


subtest 'whose worker dies' => sub {
    my ($path, @answers);

    # now and then one worker has all of them, under load several times
    for (1 .. 15) {
        $path = '/probe/catalogue?wait=900&n=' . $n++;
        my @all = map { $azora->connect } 1 .. 40;

        $_->write(Azora::HTTP::format_request('GET', $path)) for @all;
        sleep 0.3;
        $azora->kill_worker;
        @answers = grep { $_ } map { eval { $_->read_response } } @all;
        last if @answers;
    }

    cmp_ok scalar @answers, '>', 0, 'the other worker\'s clients';
    is +(grep { $_->{status} != 200 } @answers), 0, 'are answered';
    is $azora->get($path)->{status}, 200, 'and all who come later';
    ok current(), 'whoever listens now knows the generations';
};


subtest 'reload' => sub {
    ok listening(), 'after the worker that died';
    my $path = '/probe/catalogue?n=' . $n++;
    my $old = $azora->get($path);

    $azora->reload;
    ok listening(), 'the new workers are told of changes';
    my $r = $azora->get($path);
    is $r->{body}, $old->{body}, 'the new workers have it';
    like cache_status($r), qr/; hit;/, 'from the cache';
};


subtest 'a full zone' => sub {
    my $hot = '/probe/catalogue?n=' . $n++;
    my $kept = $azora->get($hot)->{body};
    my $cold = '/probe/catalogue?n=' . $n++;
    my $before = $azora->get($cold)->{body};
    my $evicted = counter('azora_cache_evictions_total');
    my $bad = 0;

    for my $i (1 .. 60) {
        my $r = $azora->get("/probe/catalogue?n=7&size=" . (20_000 + $i));
        $bad++ if $r->{status} != 200
                  || length $r->{json}{pad} != 20_000 + $i;
        $bad++ if $azora->get($hot)->{body} ne $kept;
    }

    is $bad, 0, 'answers all, and keeps what is asked for';
    cmp_ok counter('azora_cache_evictions_total') - $evicted, '>=', 30,
        'gives way and counts it';
    isnt $azora->get($cold)->{body}, $before, 'what nobody asks for goes';

    my $r = $azora->get("/probe/catalogue?n=7&size=20060");
    like cache_status($r), qr/; hit;/, 'the last is there';
    is $r->{json}{pad}, 'x' x 20_060, 'and whole';

    $r = $azora->get("/probe/catalogue?n=7&size=400000") for 1 .. 2;
    is length $r->{json}{pad}, 400_000, 'what is too large is answered';
    is cache_status($r), 'azora; fwd=uri-miss', 'and not kept';
};


subtest 'nobody tells of changes' => sub {
    my $path = '/probe/catalogue?n=' . $n++;
    my $old = $azora->get($path);
    my $listener = $azora->value(<<'SQL');
SELECT pid FROM pg_stat_activity
WHERE application_name = 'azora/listen' AND datname = current_database()
SQL

    # nor lets it in again
    my ($postmaster) = slurp("$azora->{postgres_dir}/postmaster.pid")
        =~ /^(\d+)/;
    kill STOP => $listener, $postmaster;
    my $r;
    ok poll_until(8 * $azora->patience, sub {
        $r = $azora->get($path);
        return $r->{body} ne $old->{body};
    }), 'the cache is passed by';
    is cache_status($r), 'azora; fwd=bypass', 'as it says';
    ok !exists $r->{headers}{etag}, 'and nothing is confirmed later';
    kill CONT => $listener, $postmaster;

    ok poll_until(8 * $azora->patience, sub {
        return cache_status($azora->get($path)) =~ /; hit;/;
    }), 'until somebody does again';
};


subtest 'PostgreSQL is down' => sub {
    my $path = '/probe/kept?n=' . $n++;
    my $old = $azora->get($path);

    $azora->stop_postgres('immediate');
    is $azora->get($path)->{body}, $old->{body}, 'what is there is given';
    is $azora->get('/probe/kept?n=' . $n++)->{status}, 503,
        'what is not is a 503';
    $azora->start_postgres;
    $azora->wait_ready;
    ok poll_until(10 * $azora->patience, sub {
        return $azora->get($path)->{body} ne $old->{body};
    }), 'and then it goes on';
};


done_testing;

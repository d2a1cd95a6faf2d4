#!/usr/bin/env perl

# Event streams over HTTP/2, where a stream shares its connection with others
# and the request stays: replay, live, a client that reads slowly, one that
# goes in the middle of it, a reload.  The client is curl.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Chronicle qw(append);
use Azora::HTTP;
use Azora::Process qw(alive poll_until slurp);
use Azora::Test;
use Test::More;

plan skip_all => 'curl has no HTTP/2' if `curl --version` !~ /\bHTTP2\b/;

my $azora = Azora::Test->start(workers => 1, ready => 0,
    valgrind => $ENV{AZORA_TEST_VALGRIND} || 0,
    http => "azora_events_heartbeat 1s;\n",
    edit => sub { s/(\blisten\s.*?)( backlog)/$1 http2$2/ });

my $long = 20 * $azora->patience;
my $base = "http://127.0.0.1:$azora->{port}";
my $dir = $azora->{dir};
my $n = 0;

sub curl {
    my (@arguments) = @_;
    open my $out, '-|', 'curl', '-sN', '--http2-prior-knowledge', @arguments
        or die "curl: $!\n";
    local $/;
    return readline($out) // '';
}

sub post {
    my ($path, $body) = @_;
    return $Azora::HTTP::JSON->decode(curl('-H',
        'Content-Type: application/json', '-d',
        $Azora::HTTP::JSON->encode($body), "$base$path"));
}

# A client that writes what it gets into a file
sub follow {
    my ($token, $query, @options) = @_;
    my $file = "$dir/stream" . ++$n;
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        exec 'curl', '-sN', '--http2-prior-knowledge', '-o', $file, @options,
            '-D', "$file.head", '-H', "Authorization: Bearer $token",
            "$base/v1/events$query";
    }

    return { pid => $pid, file => $file };
}

sub numbers {
    my ($client) = @_;
    return () if !-e $client->{file};
    return slurp($client->{file}) =~ /^id: (\d+)\ndata: \{"specversion"/mg;
}

sub expected {
    return map { $_->{seq} } $azora->sql(
        q{SELECT seq FROM journal.entry WHERE seq IS NOT NULL ORDER BY seq});
}

sub has_all {
    my ($client, $name) = @_;
    my @all;

    ok poll_until($long, sub {
        return 0 if $azora->value(
            'SELECT count(*) FROM journal.entry WHERE seq IS NULL');
        @all = expected();
        return @all <= (() = numbers($client));
    }), $name;
    is join(' ', numbers($client)), join(' ', @all), '... once, in order';
}

sub large {
    $azora->sql(q{
        SELECT journal.append_batch('test.counted', array_agg(?::uuid),
                   array_agg(json_build_object('text', repeat('x', 20000))),
                   array_agg(NULL::text))
        FROM generate_series(1, 200) AS i}, $_[0]);
}

ok poll_until($long, sub {
    return curl('-o', '/dev/null', '-w', '%{http_code}', "$base/readyz")
           eq '200';
}), 'it serves HTTP/2';

my %amina = (email => 'amina@example.org', password => 'a long pass phrase');
my $id = post('/v1/auth/register', { %amina, name => 'Amina' })->{id};
my $token = post('/v1/auth/login', \%amina)->{access_token};

# until there is a number nobody can follow
ok poll_until($long, sub { () = expected() }), 'something happened';
my $whole = follow($token, '?last_event_id=-1');
has_all($whole, 'what was');
like slurp("$whole->{file}.head"),
    qr{\AHTTP/2 200.*^content-type: text/event-stream}ms, 'over HTTP/2';

append($azora, $id, 300);
has_all($whole, 'and what happens');
my $beats = () = slurp($whole->{file}) =~ /^:$/mg;
ok poll_until($long, sub {
    return $beats < (() = slurp($whole->{file}) =~ /^:$/mg);
}), 'it beats';

my $slow = follow($token, '?last_event_id=-1', '--limit-rate', '50k');
my $gone = follow($token, '?last_event_id=-1', '--limit-rate', '1k');
large($id);
has_all($whole, 'others do not wait for the slow');
ok poll_until($long, sub { -e $gone->{file} }), 'a client hangs';
kill KILL => $gone->{pid};
waitpid $gone->{pid}, 0;
kill KILL => $slow->{pid};
waitpid $slow->{pid}, 0;

# what was queued for them is let go, the others go on
large($id);
append($azora, $id, 1);
has_all($whole, 'and went');

sub open_streams {
    my ($open) = curl("$base/metrics") =~ /^nexus_sse_connections (\d+)$/m;
    return $open // -1;
}
ok poll_until($long, sub { open_streams() == 1 }), 'one is left';

my ($old) = $azora->worker_pids;
kill HUP => $azora->master_pid;
ok poll_until($long, sub { !alive($old) }), 'a reload: the old worker ends';
waitpid $whole->{pid}, 0;
is $? >> 8, 0, 'its stream in order';
my ($last) = reverse slurp($whole->{file}) =~ /^id: (\d+)$/mg;

my $next;
ok poll_until($long, sub {
    $next = follow($token, "?last_event_id=$last");
    return 1 if poll_until(2 * $azora->patience, sub {
        return -e "$next->{file}.head"
               && slurp("$next->{file}.head") =~ m{\AHTTP/2 200};
    });
    kill TERM => $next->{pid};
    waitpid $next->{pid}, 0;
    return 0;
}), 'the new one lets it in';
append($azora, $id, 2);
ok poll_until($long, sub { 2 == (() = numbers($next)) }),
    'and it goes on elsewhere';
kill TERM => $next->{pid};
waitpid $next->{pid}, 0;

done_testing;

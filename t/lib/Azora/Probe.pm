package Azora::Probe;

# An instance that also has the rows of t/core/probe.c and their functions:
# statements that succeed, fail, wait and disappear on demand.

use strict;
use warnings;

use Azora::HTTP;
use Azora::Process qw(slurp);
use Azora::Test;
use Azora::Unit;
use Exporter qw(import);
use File::Temp ();
use POSIX ();

our @EXPORT_OK = qw(together workload);

my @Built;


sub start {
    my ($class, %options) = @_;

    my $so = Azora::Unit->new->build("$Azora::Test::ROOT/t/core/probe.c")
        or die "t/core/probe.c does not compile\n";
    push @Built, $so;

    my $azora = Azora::Test->start(%options,
        main => "load_module $so;\n" . ($options{main} || ''));
    deploy($azora);
    return $azora;
}


sub deploy {
    my ($azora) = @_;
    my $dbh = $azora->dbh;

    $dbh->do($_) for grep { /\S/ } split /^;;$/m, <<'END';
CREATE SCHEMA probe
;;
CREATE TABLE probe.item (n bigint, note text, at timestamptz DEFAULT now())
;;
CREATE TABLE probe.parent (n bigint PRIMARY KEY)
;;
CREATE TABLE probe.child (n bigint REFERENCES probe.parent
                                   DEFERRABLE INITIALLY DEFERRED)
;;
CREATE SEQUENCE probe.calls
;;
CREATE FUNCTION probe.reply(value text) RETURNS azora.reply LANGUAGE sql AS
$$ SELECT ROW(200, json_build_object('value', value), NULL, NULL)::azora.reply
$$
;;
CREATE FUNCTION probe.read(caller azora.caller, n bigint)
RETURNS azora.reply LANGUAGE sql STABLE AS $$ SELECT probe.reply(n::text) $$
;;
CREATE FUNCTION probe.wait(caller azora.caller, n bigint)
RETURNS azora.reply LANGUAGE sql STABLE AS
$$ SELECT probe.reply('waited' || pg_sleep(n / 1000.0)::text) $$
;;
CREATE FUNCTION probe.divide(caller azora.caller, n bigint)
RETURNS azora.reply LANGUAGE sql STABLE AS
$$ SELECT probe.reply((100 / n)::text) $$
;;
CREATE FUNCTION probe.big(caller azora.caller, n bigint)
RETURNS azora.reply LANGUAGE sql STABLE AS
$$ SELECT probe.reply(repeat('abcdefghij', (n / 10)::int)) $$
;;
CREATE FUNCTION probe.kept(caller azora.caller, n bigint, wait bigint,
                           size bigint)
RETURNS azora.reply LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM pg_sleep(coalesce(wait, 0) / 1000.0);
    IF n < 0 THEN
        RETURN ROW(404, json_build_object('problem', 'not-found',
                   'detail', 'There is none.'), NULL, NULL)::azora.reply;
    END IF;
    RETURN ROW(200, json_build_object('n', 1000 / n, 'at', clock_timestamp(),
                   'who', caller.subject, 'pad', repeat('x', size::int)),
               NULL, NULL)::azora.reply;
END $$
;;
CREATE FUNCTION probe.settings(caller azora.caller)
RETURNS azora.reply LANGUAGE sql STABLE AS
$$ SELECT ROW(200, json_object_agg(name, current_setting(name)), NULL,
              NULL)::azora.reply
     FROM unnest(ARRAY['statement_timeout', 'application_name', 'TimeZone',
                       'client_encoding', 'jit', 'in_hot_standby',
                       'idle_in_transaction_session_timeout']) AS name $$
;;
CREATE FUNCTION probe.write(caller azora.caller, n bigint, "text" text)
RETURNS azora.reply LANGUAGE sql AS
$$ INSERT INTO probe.item VALUES (n, "text");
   SELECT probe.reply(n::text) $$
;;
CREATE FUNCTION probe.late(caller azora.caller, n bigint, "text" text)
RETURNS azora.reply LANGUAGE sql AS
$$ INSERT INTO probe.child VALUES (n); SELECT probe.reply(n::text) $$
;;
CREATE FUNCTION probe.pause(caller azora.caller, n bigint, "text" text)
RETURNS azora.reply LANGUAGE sql AS
$$ INSERT INTO probe.item VALUES (n, "text");
   SELECT probe.reply('waited' || pg_sleep("text"::float8)::text) $$
;;
CREATE FUNCTION probe.batch(callers azora.caller[], n bigint[], "text" text[])
RETURNS SETOF azora.batch_reply LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nextval('probe.calls');
    INSERT INTO probe.item SELECT * FROM unnest(n, "text");
    PERFORM pg_sleep(0.02);
    RETURN QUERY
    SELECT o::int, CASE WHEN i = 409 THEN 409 ELSE 200 END,
           json_build_object('n', 1000 / (1000 - i), 'text', t, 'items',
                             array_length(n, 1), 'caller', callers[o]),
           NULL::text, NULL::text,
           CASE WHEN i = 409 THEN 'insufficient-funds' END,
           CASE WHEN i = 409 THEN 'There is too little.' END, NULL::text
      FROM unnest(n, "text") WITH ORDINALITY AS u (i, t, o)
     WHERE i <> 404
     ORDER BY o DESC;
END $$
;;
GRANT USAGE ON SCHEMA probe TO azora_app
;;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA probe TO azora_app
;;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA probe TO azora_app
END
    $dbh->disconnect;
}


# Sends all requests, [method, path, options...], each on a connection of its
# own, before it reads any answer: they meet in the same lanes.
sub together {
    my ($azora, @requests) = @_;

    my @pending = map {
        my ($method, $path, %options) = @$_;
        my $http = $azora->connect;
        [$http, Azora::HTTP::format_request($method, $path, %options)];
    } @requests;

    $_->[0]->write($_->[1]) for @pending;

    return map {
        my $answer = $_->[0]->read_response;
        $_->[0]->close;
        $answer;
    } @pending;
}


# Clients that send one request after the other until the returned function
# is called, which gives their outcomes: a list of [n, status, problem].
# request is a function of n that returns (method, path, options).
sub workload {
    my ($azora, $clients, $request) = @_;
    my (%files, @pids);

    for my $client (1 .. $clients) {
        my $file = File::Temp->new;
        my $pid = fork;
        die "fork: $!\n" if !defined $pid;

        if ($pid == 0) {
            my $run = 1;
            local $SIG{TERM} = sub { $run = 0 };
            _client($azora, $file, $client, $request, \$run);
            POSIX::_exit(0);
        }

        $files{$pid} = $file;
        push @pids, $pid;
    }

    return sub {
        kill TERM => @pids;
        waitpid $_, 0 for @pids;
        return map { [split /\t/, $_, -1] }
               map { split /\n/, slurp($_->filename) } values %files;
    };
}


# A connection that the server closed between two requests is opened again.
sub _client {
    my ($azora, $file, $client, $request, $run) = @_;
    my $http;

    open my $out, '>', $file->filename or return;

    for (my $n = $client * 1_000_000; $$run; $n++) {
        my ($method, $path, %options) = $request->($n);
        my $answer = eval {
            $http ||= $azora->connect;
            $http->write(Azora::HTTP::format_request($method, $path, %options,
                                                     keepalive => 1));
            $http->read_response;
        };

        # the signal to end interrupts what waits
        last if !$answer && !$$run;

        my $status = $answer ? $answer->{status} : 'closed';
        my $problem = $answer && $status >= 400
            ? $answer->{json}{type} =~ s{.*/}{}r : '';
        print {$out} join("\t", $n, $status, $problem), "\n";
        undef $http if !$answer
            || ($answer->{headers}{connection} || '') eq 'close';
    }

    close $out;
}


END {
    unlink @Built;
}


1;

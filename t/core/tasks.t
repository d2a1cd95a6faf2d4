#!/usr/bin/perl

# Tasks: called by one worker, at an interval, when a generation moves, again
# while there is work, and with patience when they fail.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until);
use Azora::Test;
use Test::More;
use Time::HiRes qw(sleep time);

my $azora = Azora::Test->start(workers => 2);
my $TASK = 'ledger.consume_rewards';


sub counted {
    my ($what) = @_;
    return $azora->get('/metrics')->{body}
        =~ /^azora_task_${what}_total\{task="$TASK"\} (\d+)$/m ? $1 : -1;
}


# The task becomes a recorder: each run is a row, and it has so much to do. It
# gets its owner in the statement that makes it, or a run in between fails.
$azora->sql($_) for (
    'CREATE TABLE public.run (at timestamptz, batch int, pid int)',
    'CREATE TABLE public.work (left_over int)',
    'INSERT INTO public.work VALUES (0)',
    'CREATE TABLE public.trouble (on_purpose boolean)',
    'INSERT INTO public.trouble VALUES (false)',
    <<'SQL',
CREATE OR REPLACE FUNCTION ledger.consume_rewards(batch int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    n int;
BEGIN
    IF (SELECT t.on_purpose FROM public.trouble AS t) THEN
        RAISE EXCEPTION 'trouble on purpose';
    END IF;
    INSERT INTO public.run VALUES (clock_timestamp(), batch, pg_backend_pid());
    UPDATE public.work SET left_over = left_over - 1 WHERE left_over > 0;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$$;
ALTER FUNCTION ledger.consume_rewards(int) OWNER TO postgres
SQL
);


sub runs { return $azora->value('SELECT count(*) FROM public.run') }


# The shape of a task is that of its function: one that nobody calls would wait
# for ever in silence.
subtest 'every task that there is' => sub {
    my @listed = $azora->get('/metrics')->{body}
        =~ /^azora_task_runs_total\{task="(.+?)"/mg;

    is_deeply [sort @listed], [map { $_->{name} } $azora->sql(<<'SQL')],
SELECT p.oid::regproc::text AS name
FROM pg_proc AS p
     JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE pg_get_function_identity_arguments(p.oid) = 'batch integer'
  AND p.prorettype = 'int'::regtype
  AND n.nspname IN ('azora', 'identity', 'journal', 'ledger', 'learning',
                    'court', 'market')
  AND has_function_privilege('azora_app', p.oid, 'EXECUTE')
ORDER BY 1
SQL
        'is called';
};


subtest 'at an interval' => sub {
    ok poll_until(10, sub { runs() > 0 }), 'it runs';
    my $before = runs();
    sleep 4;
    my $n = runs() - $before;
    cmp_ok $n, '>=', 2, 'every second or so';
    cmp_ok $n, '<=', 6, 'and not more often';
    is $azora->value('SELECT count(DISTINCT pid) FROM public.run'), 1,
        'in one worker';
    is $azora->value('SELECT max(batch) FROM public.run'), 100,
        'with its batch';
    cmp_ok counted('runs'), '>=', 3, 'it is counted';
    is counted('failures'), 0, 'nothing failed';
};


subtest 'when a generation moves' => sub {
    my ($n, $slowest) = (0, 0);

    for (1 .. 10) {
        my $before = runs();
        my $began = time;
        $azora->sql("SELECT pg_notify('azora_generation', 'journal ' || ?)",
                    1_000_000 + $_);
        $n++ if poll_until(2, sub { runs() > $before });
        $slowest = time - $began if time - $began > $slowest;
        sleep 0.05;
    }

    is $n, 10, 'it runs each time';
    my $waited = $azora->value(<<'SQL');
SELECT count(*) FROM public.run WHERE at > now() - interval '3 seconds'
SQL
    cmp_ok $waited, '>=', 8, 'at once and not when its time comes';
};


subtest 'again while there is work' => sub {
    my $began = time;

    $azora->sql('UPDATE public.work SET left_over = 200');
    ok poll_until(10, sub {
        return !$azora->value('SELECT left_over FROM public.work');
    }), 'two hundred runs in a row';
    cmp_ok time - $began, '<', 8 * $azora->patience, 'without pause';
    is $azora->get('/v1/courses')->{status}, 200, 'requests have their turn';
};


subtest 'when it fails' => sub {
    my $mark = $azora->mark;
    my $before = counted('failures');

    $azora->sql('UPDATE public.trouble SET on_purpose = true');
    ok poll_until(10, sub { counted('failures') >= $before + 2 }),
        'it is tried again';
    sleep 5;
    cmp_ok counted('failures') - $before, '<=', 5, 'but less and less often';
    like $azora->error_log($mark), qr/$TASK.*trouble on purpose/,
        'the reason is logged';

    $azora->sql('UPDATE public.trouble SET on_purpose = false');
    my $rows = runs();
    ok poll_until(30, sub { runs() > $rows }), 'and it recovers by itself';
};


subtest 'after a reload' => sub {
    $azora->reload;
    ok poll_until(40, sub { 2 == (() = $azora->worker_pids) }),
        'the old workers end although tasks wait';
    my $rows = runs();
    ok poll_until(10, sub { runs() > $rows + 1 }), 'the new ones go on';
};


done_testing;

#!/usr/bin/perl

# Many passwords at once: the queue is bounded, nothing else waits for it,
# and clients that leave or a worker that does harm nobody.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until slurp);
use Azora::Test;
use Test::More;
use Time::HiRes qw(sleep time);


sub start {
    my ($settings, %opts) = @_;
    return Azora::Test->start(workers => 1, %opts, edit => sub {
        s{^\s*include\s+"([^"]*/http\.conf)";}{slurp($1)}me;
        s/^(azora_auth_thread_pool)\s[^;]*/$1 $settings/m or die;
    });
}


# Sends n logins on n connections and returns them.
sub send_logins {
    my ($azora, $n, $name) = @_;
    my @open = map { $azora->connect } 1 .. $n;

    $_->write(Azora::HTTP::format_request('POST', '/v1/auth/login', json => {
        email => "$name\@example.org", password => 'a long pass phrase' }))
        for @open;
    return @open;
}


sub gauge {
    my ($azora, $name) = @_;
    my $text = $azora->get('/metrics')->{body};
    return $text =~ /^\Q$name\E (-?\d+)/m ? $1 : undef;
}


subtest '50 at once' => sub {
    my $azora = start('azora_hash threads=2 queue=64');
    $azora->register('amina');

    my @answers = map { $_->read_response } send_logins($azora, 50, 'amina');
    is_deeply [grep { $_->{status} != 200 } @answers], [], 'all log in';
    is $azora->value('SELECT count(*) FROM identity.session'), 50,
        'with 50 sessions';
    is gauge($azora, 'azora_auth_hashes_waiting'), 0, 'and nobody waits';
};


subtest 'a full queue' => sub {
    my $azora = start('azora_hash threads=1 queue=4');
    $azora->register('amina');

    my @open = send_logins($azora, 50, 'amina');
    my $from = time;
    is $azora->get('/livez')->{status}, 200, 'others are served meanwhile';
    cmp_ok time - $from, '<', 1, 'without delay';

    my (%seen, $busy);
    for (map { $_->read_response } @open) {
        $seen{$_->{status}}++;
        $busy = $_ if $_->{status} == 503;
    }

    is_deeply [sort keys %seen], [200, 503], 'some log in, others are told'
        or diag explain \%seen;
    is $busy->{json}{type}, '/problems/busy', 'that it is busy';
    cmp_ok $busy->{headers}{'retry-after'}, '>', 0, 'and when to come back';
    is $azora->value('SELECT count(*) FROM identity.session'), $seen{200},
        'as many sessions as logins';
    is $azora->value('SELECT count(*) FROM identity.login_failure'), 0,
        'busy is nobody\'s failure';
    is gauge($azora, 'azora_auth_hashes_total{result="busy"}'), $seen{503},
        'which is counted';
    ok $azora->login('amina'), 'afterwards it is as before';
};


subtest 'clients that leave' => sub {
    my $azora = start('azora_hash threads=1 queue=64');
    $azora->register('amina');
    my ($worker) = $azora->worker_pids;
    my $done = gauge($azora, 'azora_auth_hashes_total{result="done"}');

    # at once; before, while and after their password is looked at
    $_->close for send_logins($azora, 40, 'amina');
    for my $wait (0.001, 0.004, 0.012, 0.03, 0.06) {
        my @open = send_logins($azora, 4, 'amina');
        sleep $wait;
        $_->reset for @open;
    }

    ok poll_until(20, sub {
        gauge($azora, 'azora_auth_hashes_waiting') == 0
    }), 'nobody waits any more';
    ok $azora->login('amina'), 'the next one logs in';
    is_deeply [$azora->worker_pids], [$worker], 'of the same worker';
    cmp_ok gauge($azora, 'azora_auth_hashes_total{result="done"}') - $done,
        '<', 61, 'and who left the queue cost nothing';
};


subtest 'a reload' => sub {
    my $azora = start('azora_hash threads=1 queue=64');
    $azora->register('amina');

    my @open = send_logins($azora, 30, 'amina');
    $azora->get('/livez');
    $azora->reload;
    my @answers = map { $_->read_response } @open;
    is_deeply [grep { !$_ || $_->{status} != 200 } @answers], [],
        'everybody in the queue is answered';
};


subtest 'the default pool' => sub {
    my $azora = Azora::Test->start(workers => 1, edit => sub {
        s/^thread_pool[^\n]*\n//m;
        s{^\s*include\s+"([^"]*/http\.conf)";}{slurp($1)}me;
        s/^azora_auth_thread_pool[^\n]*\n//m or die;
    });
    ok $azora->user('amina')->{token}, 'is used when there is no other';
};


subtest 'PostgreSQL is away' => sub {
    my $azora = start('azora_hash threads=1 queue=64', postgres => 'own');
    $azora->register('amina');
    $azora->stop_postgres('immediate');

    my @answers = map { $_->read_response } send_logins($azora, 10, 'amina');
    is_deeply [grep { $_->{status} != 503 } @answers], [],
        'nobody logs in';

    my $r = $azora->post('/v1/auth/register', json => {
        email => 'kofi@example.org', password => 'a long pass phrase',
        name => 'Kofi' });
    is $r->{status}, 503, 'nor registers';

    $azora->start_postgres;
    ok poll_until(30, sub { eval { $azora->login('amina') } }),
        'until it is back';
};

done_testing;

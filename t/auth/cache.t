#!/usr/bin/perl

# Verified tokens: kept for all workers and over reloads, forgotten as soon
# as a session may have ended, and never trusted while nobody can tell.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(alive poll_until slurp);
use Azora::Test;
use Test::More;

my $guarded = <<'END';
    location = /guarded/ {
        azora_auth required;
        azora_status livez;
    }
END


# Another value for a directive of conf/azora/http.conf
sub settings {
    my ($directive, $value) = @_;

    return sub {
        s{^\s*include\s+"([^"]*/http\.conf)";}{slurp($1)}me;
        s/^(\s*$directive)\s[^;]*/$1 $value/m or die "no $directive\n";
    };
}


sub counts {
    my ($azora) = @_;
    my $text = $azora->get('/metrics')->{body};
    return map {
        $_ => $text =~ /^azora_auth_tokens_total\{result="$_"\} (\d+)/m && $1
    } qw(cached verified refused);
}


# what n requests with the token add to the counters
sub cost {
    my ($azora, $token, $n) = @_;
    my %before = counts($azora);

    for (1 .. $n) {
        my $r = $azora->get('/guarded/', token => $token);
        die "$r->{status} $r->{body}\n" if $r->{status} != 200;
    }

    my %after = counts($azora);
    return map { $after{$_} - $before{$_} } qw(verified cached);
}


subtest 'one verification for all workers' => sub {
    my $azora = Azora::Test->start(workers => 2, server => $guarded);
    my $amina = $azora->user('amina');

    is_deeply [cost($azora, $amina->{token}, 20)], [1, 19],
        '20 requests, one verification';
    my $second = $azora->login('amina');
    is_deeply [cost($azora, $second, 5)], [1, 4],
        'another token has its own';

    my @old = $azora->worker_pids;
    $azora->reload;
    poll_until(20, sub { !grep { alive($_) } @old });
    # the new workers have to hear PostgreSQL first
    ok poll_until(10, sub { (cost($azora, $amina->{token}, 1))[1] == 1 }),
        'a reload is over';
    is_deeply [cost($azora, $second, 5)], [0, 5], 'and nothing is forgotten';

    $azora->sql("SELECT azora.bump('sessions')");
    is_deeply [cost($azora, $amina->{token}, 5)], [0, 5],
        'somebody else logged out: no signature is verified again';

    my %before = counts($azora);
    is $azora->get('/guarded/', token => "$second.x")->{status}, 401,
        'a bad token';
    is $azora->get('/guarded/', token => "$second.x")->{status}, 401,
        'is never kept';
    is { counts($azora) }->{refused} - $before{refused}, 2, 'refused twice';
};


subtest 'an expired token' => sub {
    my $azora = Azora::Test->start(workers => 1, server => $guarded,
        edit => settings(azora_auth_token_lifetime => '2s'));
    my $amina = $azora->user('amina');

    my $who = sub { $azora->get('/guarded/', token => $amina->{token}) };
    is $who->()->{status}, 200, 'is good at first';
    is $who->()->{status}, 200, 'from the cache too';
    ok poll_until(10, sub { $who->()->{status} == 401 }),
        'and not after its two seconds';
    like $who->()->{json}{detail}, qr/has expired/, 'with the reason';
};


subtest 'without the database' => sub {
    my $azora = Azora::Test->start(workers => 1, server => $guarded,
        postgres => 'own', http => 'azora_auth_stale 4s;');
    my $amina = $azora->user('amina');
    my $who = sub { $azora->get('/guarded/', token => $amina->{token}) };
    is_deeply [cost($azora, $amina->{token}, 3)], [1, 2], 'with it: kept';

    my $mark = $azora->mark;
    $azora->stop_postgres('immediate');
    is $who->()->{status}, 200, 'without it what was known counts on';

    my $r = $azora->post('/v1/auth/login', json => {
        email => 'amina@example.org', password => 'a long pass phrase' });
    is $r->{status}, 503, 'nobody logs in';
    ok $r->{headers}{'retry-after'} > 0, 'and is told when to try again';

    ok poll_until(30, sub { ($r = $who->())->{status} == 503 }),
        'but not for longer than azora_auth_stale';
    is $r->{json}{type}, '/problems/temporarily-unavailable', 'its problem';
    ok $r->{headers}{'retry-after'} > 0, 'and when to try again';
    ok $azora->wait_log(qr/revoked tokens are not known/, $mark),
        'the log says what is missing';
    is $azora->get('/guarded/', token => "$amina->{token}x")->{status}, 401,
        'a bad token is still a bad token';

    $azora->start_postgres;
    ok poll_until(30, sub { $who->()->{status} == 200 }),
        'with it again: it counts again';
    is_deeply [cost($azora, $amina->{token}, 3)], [0, 3], 'kept all the time';
};


subtest 'no cache' => sub {
    my $azora = Azora::Test->start(workers => 1, server => $guarded,
        edit => settings(azora_auth_cache => 'off'));
    my $amina = $azora->user('amina');
    is_deeply [cost($azora, $amina->{token}, 3)], [3, 0],
        'off: each is verified';
};

done_testing;

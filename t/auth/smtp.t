#!/usr/bin/perl

# Mail over a server that is not ours: TLS is needed and its certificate must
# be right, we log in, and what a server that is away did not take it gets
# when it is back.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until run_or_die slurp spew);
use Azora::Test;
use JSON::PP ();
use Test::More;

my $tools = `'$Azora::Test::ROOT/t/npm/install' auth`;
plan skip_all => 'npm cannot install the server here' if $? >> 8 == 3;
chomp $tools;

my $dir = Azora::Test::run_dir() . "/smtp-$$";
my %servers;


# A CA, a certificate of it, and one that no CA knows
sub certificates {
    mkdir $dir or die "$dir: $!\n";
    my @new = qw(openssl req -x509 -newkey ec -pkeyopt
        ec_paramgen_curve:P-256 -noenc -days 2);
    my @host = ('-addext', 'subjectAltName=IP:127.0.0.1');

    run_or_die(@new, '-subj', '/CN=Test CA', '-keyout', "$dir/ca.key",
               '-out', "$dir/ca.pem");
    run_or_die(@new, '-subj', '/CN=mail', @host, '-CA', "$dir/ca.pem",
               '-CAkey', "$dir/ca.key", '-keyout', "$dir/good.key",
               '-out', "$dir/good.pem");
    run_or_die(@new, '-subj', '/CN=mail', @host, '-keyout',
               "$dir/strange.key", '-out', "$dir/strange.pem");
    spew("$dir/password", "a secret & more\n");
    spew("$dir/other", "another secret\n");
    chmod 0600, "$dir/password", "$dir/other";
    return;
}

# Its port; options: name, certificate, port, secure
sub server {
    my (%o) = (name => 'one', certificate => 'good', port => 0, @_);

    my $pid = open(my $out, '-|', 'node', "$Bin/smtp.mjs",
        "$tools/node_modules", "$dir/$o{certificate}.pem",
        "$dir/$o{certificate}.key", "$dir/$o{name}.notes", $o{port},
        $o{secure} ? 'secure' : ()) or die "node: $!\n";
    $servers{$pid} = $out;
    chomp(my $port = <$out> // '');
    die "the mail server does not start\n" if $port !~ /^\d+\z/;
    return $port;
}

sub stop_servers {
    my @pids = keys %servers;
    kill 'KILL', @pids if @pids;
    close delete $servers{$_} for @pids;
    return;
}

END { my $status = $?; stop_servers(); $? = $status }

sub node {
    my ($url, $password) = @_;

    return Azora::Test->start(workers => 1,
        http => "azora_fetch_trusted_certificate $dir/ca.pem;",
        edit => sub { s{azora_mail_dir.*;}
            {azora_mail_smtp $url user=azora password_file=$dir/$password;}
        });
}

sub register {
    my ($azora, $name) = @_;
    return $azora->register($name)->{id};
}

sub taken {
    my ($name, $to) = @_;
    my @taken;

    if (-e "$dir/$name.notes") {
        @taken = grep { $_->{to}[0] eq "$to\@example.org" }
                 map { JSON::PP::decode_json($_) } split /\n/,
                     slurp("$dir/$name.notes");
    }
    return @taken;
}

# The job of somebody's mail: state, failures and what went wrong
sub job {
    my ($azora, $account) = @_;
    my ($row) = $azora->sql('SELECT state, failures, last_error
        FROM journal.job WHERE subject = ?', $account);
    return $row || { state => 'gone', failures => 0, last_error => '' };
}

sub failed {
    my ($azora, $account) = @_;
    my $job;
    poll_until(20 * $azora->patience, sub {
        $job = job($azora, $account);
        return $job->{failures} || $job->{state} ne 'waiting';
    });
    return $job;
}


certificates();


subtest 'a server that wants TLS and a login' => sub {
    for my $secure (0, 1) {
        my $name = $secure ? 'smtps' : 'starttls';
        my $port = server(name => $name, secure => $secure);
        my $azora = node(($secure ? 'smtps' : 'smtp') . "://127.0.0.1:$port",
                         'password');
        my $id = register($azora, 'amina');

        ok poll_until(20 * $azora->patience, sub { taken($name, 'amina') }),
            "$name: gets the mail" or diag explain job($azora, $id);
        my ($mail) = taken($name, 'amina');
        ok $mail->{secure}, 'over TLS';
        is $mail->{user}, 'azora', 'of who logged in';
        is $mail->{from}, 'no-reply@localhost', 'from our address';
        like $mail->{text}, qr{^https://azora\.test/verify-email#token=}m,
            'as it was written';
        ok poll_until(10 * $azora->patience, sub {
            job($azora, $id)->{state} eq 'gone' }), 'and the job is done';
    }
};


subtest 'what is not trusted' => sub {
    my $port = server(name => 'strange', certificate => 'strange');
    my $azora = node("smtp://127.0.0.1:$port", 'password');
    my $job = failed($azora, register($azora, 'amina'));
    is "$job->{state} $job->{last_error}", 'waiting tls',
        'a certificate that no CA knows';
    is scalar(taken('strange', 'amina')), 0, 'gets nothing';

    $port = server(name => 'named');
    $azora = node("smtp://localhost:$port", 'password');
    $job = failed($azora, register($azora, 'amina'));
    is "$job->{state} $job->{last_error}", 'waiting tls',
        'nor a good one of another name';

    $port = server(name => 'stranger');
    $azora = node("smtp://127.0.0.1:$port", 'other');
    $job = failed($azora, register($azora, 'amina'));
    isnt $job->{state}, 'gone', 'and a wrong password sends nothing';
    is scalar(taken('stranger', 'amina')), 0, 'at all';
};


subtest 'a server that is away' => sub {
    my $port = server(name => 'away');
    stop_servers();
    my $azora = node("smtp://127.0.0.1:$port", 'password');
    my $id = register($azora, 'amina');
    my $job = failed($azora, $id);
    is $job->{state}, 'waiting', 'is tried again';

    server(name => 'away', port => $port);
    $azora->sql('UPDATE journal.job SET not_before = now()');
    $azora->sql('SELECT journal.wake_jobs()');
    ok poll_until(20 * $azora->patience, sub { taken('away', 'amina') }),
        'and gets it when it is back' or diag explain job($azora, $id);
    ok poll_until(10 * $azora->patience, sub {
        job($azora, $id)->{state} eq 'gone' }), 'which ends the job';
    is scalar(taken('away', 'amina')), 1, 'once';
};

done_testing;

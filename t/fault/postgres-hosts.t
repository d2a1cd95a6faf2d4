# More than one PostgreSQL: reads on a replica over TLS, a replica that goes,
# a primary that is replaced.

use strict;
use warnings;

use Azora::Probe qw(together workload);
use Azora::Process qw(poll_until run_or_die slurp spew);
use Azora::Test;
use DBI;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep);

my $SERVICE = "$Azora::Test::ROOT/scripts/service";

my $azora = Azora::Probe->start(workers => 1, postgres => 'own');
my ($password) = $azora->{conninfo} =~ /password=(\S+)/;
my $primary = $azora->{postgres_dir};
my $replica = "$azora->{dir}/replica";
my $sockets = "$azora->{dir}/run/replica";
my $probe = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
my $port = $probe->sockport;
$probe->close;


sub make_certificate {
    my ($certificate, $key) = @_;

    open my $stderr, '>&', \*STDERR or die "dup: $!\n";
    open STDERR, '>', "$azora->{dir}/logs/openssl";
    run_or_die(qw(openssl req -x509 -nodes -days 2 -newkey ec
                  -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=localhost
                  -addext subjectAltName=DNS:localhost
                  -out), $certificate, '-keyout', $key);
    open STDERR, '>&', $stderr;
    chmod 0644, $certificate;
}


# A standby that replays nothing is one all the same: it only reads.
sub make_replica {
    $azora->stop_postgres;
    spew("$primary/pg_hba.conf", slurp("$primary/pg_hba.conf")
         . "hostssl all azora_app 127.0.0.1/32 scram-sha-256\n");
    run_or_die('cp', '-a', $primary, $replica);
    $azora->start_postgres;

    make_certificate("$replica/server.crt", "$replica/server.key");
    spew("$replica/standby.signal", '');
    run_or_die('cp', "$replica/server.crt", "$azora->{dir}/run/ca.crt");
    chmod 0600, "$replica/server.key";
    run_or_die('chown', "--reference=$replica/PG_VERSION",
               map { "$replica/$_" } qw(server.key server.crt standby.signal));
    start_replica();
}


sub start_replica {
    run_or_die($SERVICE, 'postgres-start', $replica, $sockets, "port=$port",
               'listen_addresses=127.0.0.1', 'ssl=on');
}


sub stop_replica {
    run_or_die($SERVICE, 'postgres-stop', $replica, 'immediate');
}


# Superuser on the replica
sub replica_dbh {
    return DBI->connect("dbi:Pg:dbname=azora;host=$sockets;port=$port",
                        'postgres', undef, { RaiseError => 1 });
}


sub configure {
    my (@lines) = @_;
    spew("$azora->{dir}/secrets/postgres.conf", join "\n", @lines, '');
    $azora->reload;
}


sub replicas_line {
    return qq{azora_postgres_replicas "host=localhost port=$port dbname=azora }
         . qq{user=azora_app password=$password @_";};
}


# 'on' when a read is answered by a replica
sub standby {
    my $r = $azora->get('/probe/settings');
    return $r->{status} == 200 ? $r->{json}{in_hot_standby} : $r->{status};
}


sub becomes {
    my ($what, $expected, $name) = @_;
    my $got;

    poll_until(20 * $azora->patience, sub {
        $got = $what->();
        return defined $got && $got eq $expected;
    });
    is($got, $expected, $name);
}


make_replica();
becomes(\&standby, 'off', 'a node with one PostgreSQL reads there');


subtest 'reads go to the replica, over TLS' => sub {
    configure(qq{azora_postgres "$azora->{conninfo}";}, replicas_line(
        "sslmode=verify-full sslrootcert=$azora->{dir}/run/ca.crt"));

    becomes(\&standby, 'on', 'a read is answered by the replica');
    is($azora->post('/probe/write', json => { n => 1 })->{status}, 200,
       'a write by the primary');

    my $dbh = replica_dbh();
    my ($n, $tls) = $dbh->selectrow_array(<<'END');
SELECT count(*), count(*) FILTER (WHERE ssl)
  FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
 WHERE application_name LIKE 'azora/%'
END
    $dbh->disconnect;
    is("$n $tls", '2 2', 'the read lane is there, both encrypted');

    my @sizes = (10, 16_000, 60_000, 3_000_000, 10);
    my @answers = together($azora, map { ['GET', "/probe/big?n=$_"] } @sizes);
    is_deeply([map { length $_->{json}{value} } @answers], \@sizes,
              'results of any size arrive whole');
};


subtest 'a replica that goes' => sub {
    my $stop = workload($azora, 4, sub { 'GET', "/probe/read?n=$_[0]" });

    sleep 0.2;
    stop_replica();
    becomes(\&standby, 'off', 'the primary takes over');

    my %count;
    $count{ $_->[1] }++ for $stop->();
    is_deeply([keys %count], [200], "none of $count{200} reads fails");
    start_replica();
};


subtest 'a replica that is not who it says' => sub {
    my $mark = $azora->mark;
    my $other = "$azora->{dir}/run/other.crt";

    make_certificate($other, "$azora->{dir}/run/other.key");
    configure(qq{azora_postgres "$azora->{conninfo}";}, replicas_line(
        "sslmode=verify-full sslrootcert=$other"));

    ok($azora->wait_log(qr/cannot connect .* \(replica\).*certificate/, $mark),
       'is not talked to, and the log says why');
    becomes(\&standby, 'off', 'reads stay with the primary');
    unlike($azora->error_log, qr/\Q$password\E/, 'no password in the log');
};


subtest 'a connection string that is wrong' => sub {
    my $mark = $azora->mark;

    spew("$azora->{dir}/secrets/postgres.conf",
         qq{azora_postgres "host=/tmp password=top secret";\n});
    kill HUP => $azora->master_pid;
    $azora->{opts}{expect_alert} = qr/\[emerg\].*connection string/;
    ok($azora->wait_log(qr/\[emerg\].*invalid PostgreSQL connection string/,
                        $mark), 'is refused');
    unlike($azora->error_log($mark), qr/top|secret"/, 'and not repeated');
    is(standby(), 'off', 'the old configuration serves on');
};


subtest 'the primary is replaced' => sub {
    configure(sprintf 'azora_postgres "host=%s,localhost port=5432,%d '
              . 'dbname=azora user=azora_app password=%s";',
              $azora->{postgres_sockets}, $port, $password);
    is($azora->post('/probe/write', json => { n => 2 })->{status}, 200,
       'of two hosts the one that writes is found');

    $azora->stop_postgres('immediate');
    my $dbh = replica_dbh();
    $dbh->do('SELECT pg_promote()');

    becomes(sub {
        $azora->post('/probe/write', json => { n => 3 })->{status};
    }, 200, 'its successor is found without a reload');
    is($dbh->selectrow_array('SELECT count(*) FROM probe.item WHERE n = 3'), 1,
       'and has the write');
    becomes(\&standby, 'off', 'reads are there, too');
    $dbh->disconnect;
};

done_testing();


END {
    stop_replica() if -d $replica;
}

package Azora::Test;

# Starts an NGINX with Azora on a free port, with a database of its own, and
# stops it again.  A test file fails when its error log holds an [alert] or
# [emerg], when a sanitizer reported anything or a core file was left.
#
#     my $azora = Azora::Test->start(workers => 2);
#     my $amina = $azora->user('amina');
#     my $r = $azora->get('/v1/me', token => $amina->{token});
#     is $r->{status}, 200;
#     is $azora->value('SELECT count(*) FROM identity.account'), 1;
#
# docs/OPERATIONS.md lists the options and methods.

use strict;
use warnings;

use Carp qw(croak);
use Cwd ();
use DBI;
use File::Glob qw(:bsd_glob);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX ();
use Scalar::Util qw(weaken);
use Test::More ();
use Time::HiRes qw(sleep time);

use parent 'Azora::Logs';

use Azora::HTTP;
use Azora::Process qw(alive children slurp spew poll_until run_or_die);

our $ROOT = $ENV{AZORA_ROOT}
    || Cwd::abs_path(__FILE__) =~ s{/t/lib/Azora/Test\.pm\z}{}r;

my $SERVICE  = "$ROOT/scripts/service";
my $SANITIZE = $ENV{SANITIZE} ? 1 : 0;
my $BUILD    = $ENV{BUILD} || "$ROOT/build";
my $OWNER    = $$;

my (%Running, @Complaints, $Run, $RunIsOurs, $Number);


# How much longer things may take under sanitizers and valgrind.
sub patience {
    my ($self) = @_;
    return $ENV{AZORA_TEST_PATIENCE}
        || ($SANITIZE ? 4 : ref $self && $self->{opts}{valgrind} ? 20 : 1);
}


# The directory of the whole run with its deployed template; made here when
# a test file is run alone.
sub run_dir {
    return $Run if $Run;

    if ($ENV{AZORA_TEST_RUN}) {
        $Run = $ENV{AZORA_TEST_RUN};

    } else {
        $Run = tempdir('/tmp/azora-test-XXXXXX');
        $RunIsOurs = 1;
        run_or_die("$ROOT/scripts/test", 'prepare', $Run);
    }

    return $Run;
}


# Options:
#   workers => 2              NGINX's worker processes
#   main, http, server => ''  further lines of configuration there
#   limits => 'none'          rate limits: none, 'real', or lines of one's own
#   redis => 1                0: no Redis is started (its address stays)
#   postgres => 'shared'      'own': a cluster that the test may break
#   edit => sub { }           changes the whole nginx.conf in $_
#   env => { NAME => value }  NGINX's environment
#   expect_alert => qr//      alerts that the test causes
#   valgrind => 0             NGINX runs under memcheck
#   ready => 1                0: do not wait for /readyz
sub start {
    my ($class, %opts) = @_;

    my $self = bless {
        opts => { workers => 2, redis => 1, postgres => 'shared',
                  limits => 'none', ready => 1, %opts },
    }, $class;

    my $run = run_dir();
    my $name = join '_', 't', $$, ++$Number;

    $self->{dir} = tempdir("$run/$name-XXXX");
    $self->{database} = $name;
    $self->{address} = '127.0.0.1';
    mkdir "$self->{dir}/$_" for qw(logs tmp run secrets chronicle
        mail);
    if ($> == 0) {
        # the worker's user writes the public log and mails
        chown +(getpwnam 'www-data')[2, 3], map { "$self->{dir}/$_" }
            qw(chronicle mail);
        chmod 0711, map { "$self->{dir}$_" } '', '/logs', '/tmp', '/run';
    }

    # weak: an object that goes out of scope stops at once
    weaken($Running{$self} = $self);

    $self->start_postgres;
    $self->start_redis if $self->{opts}{redis};
    run_or_die('cp', '-a', "$run/keys", "$self->{dir}/keys");
    $self->start_nginx;
    return $self;
}


sub start_postgres {
    my ($self) = @_;
    my $run = run_dir();

    if ($self->{opts}{postgres} eq 'own') {
        $self->{postgres_dir} = "$self->{dir}/postgres";
        $self->{postgres_sockets} = "$self->{dir}/run/postgres";
        $self->{database} = 'azora';

        if (!-d $self->{postgres_dir}) {
            run_or_die('cp', '-a', "$run/postgres.template",
                       $self->{postgres_dir});
        }

        run_or_die($SERVICE, 'postgres-start', $self->{postgres_dir},
                   $self->{postgres_sockets});

    } else {
        $self->{postgres_sockets} = "$run/run/postgres";
        clone_database($self->dbh('postgres'), $self->{database});
        $self->{created} = 1;
    }

    my $password = slurp("$run/secrets/app-password");
    chomp $password;
    $self->{conninfo} = "host=$self->{postgres_sockets} port=5432"
        . " dbname=$self->{database} user=azora_app password=$password"
        . " application_name=azora";
    spew("$self->{dir}/secrets/postgres.conf",
         qq{azora_postgres "$self->{conninfo}";\n});
}


# A copy has the tables of its template, but not the rights on the database
# itself (as sql/roles.sql gives them).
sub clone_database {
    my ($dbh, $name) = @_;

    $dbh->do("CREATE DATABASE $name TEMPLATE azora");
    $dbh->do("REVOKE ALL ON DATABASE $name FROM PUBLIC");
    $dbh->do("GRANT CONNECT ON DATABASE $name TO azora_app");
    $dbh->do("GRANT CREATE ON DATABASE $name TO azora_owner");
}


# mode: smart, fast or immediate; only with postgres => 'own'
sub stop_postgres {
    my ($self, $mode) = @_;
    croak "postgres => 'own' is needed for this"
        if $self->{opts}{postgres} ne 'own';
    run_or_die($SERVICE, 'postgres-stop', $self->{postgres_dir},
               $mode || 'fast');
}


sub start_redis {
    my ($self) = @_;
    run_or_die($SERVICE, 'redis-start', "$self->{dir}/redis",
               "$self->{dir}/run/redis");
}


sub stop_redis {
    my ($self) = @_;
    run_or_die($SERVICE, 'redis-stop', "$self->{dir}/redis",
               "$self->{dir}/run/redis");
}


sub redis_socket { return "$_[0]{dir}/run/redis/redis.sock" }


sub module_lines {
    my $dir = $SANITIZE ? "$BUILD/san/modules" : "$BUILD/modules";
    my @names = map { m{([^/]+)\.c\z} } glob
        "$ROOT/modules/*/ngx_http_azora_*_module.c";

    return join '', map { qq{load_module "$dir/$_.so";\n} }
        'ngx_http_azora_module', @names;
}


# With its whole path: a binary upgrade executes what stands in argv[0].
sub nginx_binary {
    return "$BUILD/san/nginx" if $SANITIZE;
    return $ENV{NGINX_BIN} if ($ENV{NGINX_BIN} || '') =~ m{/};

    my $name = $ENV{NGINX_BIN} || 'nginx';
    my ($found) = grep { -x } map { "$_/$name" }
                  split(/:/, $ENV{PATH}), '/usr/sbin';
    return $found || $name;
}


sub write_limits {
    my ($self) = @_;
    my $limits = $self->{opts}{limits};

    return "$ROOT/conf/azora/limits.conf" if $limits eq 'real';
    spew("$self->{dir}/limits.conf", $limits eq 'none' ? '' : $limits);
    return "$self->{dir}/limits.conf";
}


sub write_configuration {
    my ($self) = @_;
    my ($dir, $opts) = @$self{qw(dir opts)};
    my $env = join '', map { "env $_;\n" } sort keys %{ $opts->{env} || {} },
        $SANITIZE ? qw(ASAN_OPTIONS UBSAN_OPTIONS) : ();

    # sanitizers write their reports from the workers
    my $user = $> != 0 ? ''
        : $SANITIZE || $opts->{valgrind} ? 'user root;' : 'user www-data;';

    my %values = (
        MODULES => module_lines(), USER => $user, DAEMON => 'on',
        WORKERS => $opts->{workers}, RUN => "$dir/run", DATA => $dir,
        REDIS => "azora_redis \"unix:$dir/run/redis/redis.sock\";",
        ROOT => $ROOT, LIMITS => $self->write_limits,
        ISSUER => 'https://azora.test', LOG_LEVEL => 'info',
        LISTEN => "$self->{address}:$self->{port}",
        MAIN_EXTRA => $env . ($opts->{main} || ''),
        HTTP_EXTRA => $opts->{http} || '',
        SERVER_EXTRA => $opts->{server} || '',
    );

    my $file = "$dir/nginx.conf";
    run_or_die($SERVICE, 'render', $file, map { "$_=$values{$_}" }
               sort keys %values);

    if ($opts->{edit}) {
        local $_ = slurp($file);
        $opts->{edit}->();
        spew($file, $_);
    }
}


# Another process may take the port between choosing and listening: again.
sub start_nginx {
    my ($self) = @_;

    for my $attempt (1 .. 5) {
        if (!$self->{port} || $attempt > 1) {
            my $probe = IO::Socket::INET->new(
                LocalAddr => $self->{address}, Listen => 1)
                or die "no free port: $!\n";
            $self->{port} = $probe->sockport;
        }

        $self->write_configuration;
        my $mark = $self->mark;
        last if $self->_exec_nginx == 0;

        my $log = $self->error_log($mark);
        die "NGINX does not start:\n", slurp("$self->{dir}/logs/start"), $log
            if $attempt == 5 || $log !~ /Address already in use/;
        $self->{ignored} = -s "$self->{dir}/logs/error.log";
    }

    $self->wait_ready if $self->{opts}{ready};
    return $self;
}


sub _exec_nginx {
    my ($self) = @_;
    my $dir = $self->{dir};

    local %ENV = (%ENV, %{ $self->{opts}{env} || {} });
    my $log = "log_path=$dir/logs/sanitizer:halt_on_error=1";
    $ENV{ASAN_OPTIONS} = $log;
    $ENV{UBSAN_OPTIONS} = "$log:print_stacktrace=1";

    my @command = (nginx_binary(), '-p', "$dir/", '-e',
                   "$dir/logs/error.log", '-c', "$dir/nginx.conf");
    unshift @command, 'valgrind', '--quiet', '--trace-children=yes',
        '--error-exitcode=99', "--log-file=$dir/logs/valgrind.%p",
        "--suppressions=$ROOT/t/lib/valgrind.supp" if $self->{opts}{valgrind};

    return Azora::Process::run_to_file("$dir/logs/start", $dir, @command);
}


sub wait_ready {
    my ($self, $seconds) = @_;
    my $last = '';

    poll_until(($seconds || 20) * $self->patience, sub {
        my $r = eval { $self->get('/readyz', timeout => 5) };
        $last = $r ? "$r->{status} $r->{body}" : $@;
        return $r && $r->{status} == 200;
    }) or die "not ready ($last); error log:\n", $self->error_log;
}


# HTTP

sub connect {
    my ($self, %opts) = @_;
    return Azora::HTTP->connect($self->{address}, $self->{port},
                                timeout => 30 * $self->patience, %opts);
}


# Options: headers, json, body, token, key (Idempotency-Key), timeout,
# connection (one of connect() to be kept alive).
sub request {
    my ($self, $method, $path, %opts) = @_;

    my $kept = $opts{connection};
    my $http = $kept || $self->connect(
        $opts{timeout} ? (timeout => $opts{timeout}) : ());

    $http->write(Azora::HTTP::format_request($method, $path, %opts,
                                             keepalive => $kept ? 1 : 0));
    my $response = $http->read_response(head => $method eq 'HEAD',
        $opts{timeout} ? (timeout => $opts{timeout}) : ())
        or die "$method $path: the connection was closed without an answer\n";
    $http->close if !$kept;
    return $response;
}


sub get    { my $self = shift; return $self->request('GET', @_) }
sub head   { my $self = shift; return $self->request('HEAD', @_) }
sub post   { my $self = shift; return $self->request('POST', @_) }
sub put    { my $self = shift; return $self->request('PUT', @_) }
sub patch  { my $self = shift; return $self->request('PATCH', @_) }
sub delete { my $self = shift; return $self->request('DELETE', @_) }


# People

my $PASSWORD = 'a long pass phrase';


sub register {
    my ($self, $name, %opts) = @_;
    my $r = $self->post('/v1/auth/register', json => {
        email => "$name\@example.org", password => $PASSWORD,
        name => ucfirst $name, %opts,
    });
    die "register $name: $r->{status} $r->{body}\n" if $r->{status} != 201;
    return $r->{json};
}


sub login {
    my ($self, $name, %opts) = @_;
    my $r = $self->post('/v1/auth/login', json => {
        email => "$name\@example.org", password => $PASSWORD, %opts,
    });
    die "login $name: $r->{status} $r->{body}\n" if $r->{status} != 200;
    return $r->{json}{access_token};
}


# A new person who is logged in: {id, email, name, token}; roles are those of
# a learner unless given.
sub user {
    my ($self, $name, %opts) = @_;
    my $account = $self->register($name);

    if ($opts{roles}) {
        $self->sql('UPDATE identity.account SET roles = ? WHERE id = ?',
                   $opts{roles}, $account->{id});
    }

    return { %$account, token => $self->login($name) };
}


# The generation that an entity tag names; 0: none.
sub generation_of {
    my ($self, $tag) = @_;

    no warnings 'portable';
    return ($tag || '') =~ m{^W/"([0-9a-f]+)-} ? hex $1 : 0;
}


# The database

# A handle of its own as superuser, for transactions and locks.
sub dbh {
    my ($self, $database) = @_;
    $database ||= $self->{database};
    return DBI->connect(
        "dbi:Pg:dbname=$database;host=$self->{postgres_sockets};port=5432",
        'postgres', undef,
        { RaiseError => 1, PrintError => 0, AutoCommit => 1,
          pg_enable_utf8 => 1 });
}


sub _handle {
    my ($self) = @_;

    if (!$self->{dbh} || !$self->{dbh}->ping) {
        $self->{dbh} = $self->dbh;
    }

    return $self->{dbh};
}


# The rows as a list of hashes (none for a statement without any).
sub sql {
    my ($self, $query, @values) = @_;
    my $statement = $self->_handle->prepare($query);

    $statement->execute(@values);
    return $statement->{NUM_OF_FIELDS}
        ? @{ $statement->fetchall_arrayref({}) } : ();
}


# The first column of the first row.
sub value {
    my ($self, $query, @values) = @_;
    my ($value) = $self->_handle->selectrow_array($query, undef, @values);
    return $value;
}


# NGINX

sub master_pid {
    my ($self) = @_;
    my $file = "$self->{dir}/run/nginx.pid";

    return 0 if !-s $file;
    my $pid = slurp($file) + 0;
    return alive($pid) ? $pid : 0;
}


sub worker_pids {
    my ($self) = @_;
    my $master = $self->master_pid or return;
    return grep { slurp("/proc/$_/cmdline") !~ /cache/ } children($master);
}


# Returns when a new set of workers serves and the old are gone, or still
# busy after some seconds: one that ends closes connections without a request.
sub reload {
    my ($self) = @_;
    my @old = $self->worker_pids;
    my %old = map { $_ => 1 } @old;

    kill HUP => $self->master_pid;
    poll_until(20 * $self->patience, sub {
        return $self->{opts}{workers}
               <= grep { !$old{$_} } $self->worker_pids;
    }) or die "no new workers after a reload:\n", $self->error_log;
    # not longer under sanitizers: a test may hold half a request on purpose
    poll_until(5, sub { !grep { alive($_) } @old });
    $self->wait_ready;
}


# Replaces the running binary (USR2, then QUIT for the old one).
sub upgrade {
    my ($self) = @_;
    my $old = $self->master_pid;

    kill USR2 => $old;
    poll_until(20 * $self->patience, sub {
        my $new = $self->master_pid;
        return $new && $new != $old
               && $self->{opts}{workers} <= (() = $self->worker_pids);
    }) or die "no new master after USR2:\n", $self->error_log;

    kill QUIT => $old;
    poll_until(40 * $self->patience, sub { !alive($old) })
        or die "the old master does not end:\n", $self->error_log;
    $self->wait_ready;
}


# Kills one worker (KILL unless given) and waits for its successor; the test
# needs expect_alert.  Returns the dead one's pid.
sub kill_worker {
    my ($self, $signal) = @_;
    my @old = $self->worker_pids;
    my %old = map { $_ => 1 } @old;

    kill $signal || 'KILL', $old[0];
    poll_until(20 * $self->patience, sub {
        return 1 == grep { !$old{$_} } $self->worker_pids;
    }) or die "no new worker after one died:\n", $self->error_log;
    return $old[0];
}


# Stops everything.  Called at the end of the file if not before; what the
# logs complain about makes the file fail.
sub stop {
    my ($self) = @_;
    return if $self->{stopped}++;

    my $pid = $self->master_pid;
    if ($pid) {
        kill QUIT => $pid;
        if (!poll_until(30 * $self->patience, sub { !alive($pid) })) {
            push @Complaints, 'NGINX did not end within its time';
            kill KILL => children($pid), $pid;
        }
    }

    push @Complaints, $self->complaints;
    $self->{dbh}->disconnect if $self->{dbh};
    delete $self->{dbh};

    eval { $self->stop_redis };
    eval { $self->stop_postgres('immediate') }
        if $self->{opts}{postgres} eq 'own';
    eval {
        $self->dbh('postgres')->do(
            "DROP DATABASE $self->{database} WITH (FORCE)");
    } if $self->{created};

    delete $Running{$self};
    remove_tree($self->{dir}) if !$ENV{AZORA_TEST_KEEP};
}


sub DESTROY {
    my ($self) = @_;
    local ($@, $!, $?);
    $self->stop if $$ == $OWNER;
}


END {
    if ($$ == $OWNER) {
        my $status = $?;

        $_->stop for values %Running;
        if (@Complaints) {
            Test::More::diag($_) for 'The logs complain:', @Complaints;
            $status ||= 1;
        }

        system "$ROOT/scripts/test", 'finish', $Run if $RunIsOurs;
        $? = $status;
    }
}


1;

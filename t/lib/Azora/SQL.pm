package Azora::SQL;

# A deployed database of one's own for tests that talk to PostgreSQL alone.
#
#   my $sql = Azora::SQL->new;              # deployed, with the sample content
#   my $ama = $sql->register('ama');        # account id
#   my $r   = $sql->call('ledger.get_wallet', as => $ama, currency => 'AZR');
#   is($r->{status}, 200);                  # also of what was refused
#
# The server is AZORA_TEST_DSN's ("host=... port=... user=..." of a
# superuser), or that of the whole test run, or a private one that is made
# here and removed at the end.

use strict;
use warnings;

use Cwd qw(abs_path);
use DBI;
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Handle;
use JSON::PP ();
use POSIX ();

our $ROOT = abs_path(dirname(__FILE__) . '/../../..');

my $JSON = JSON::PP->new->utf8(0)->allow_nonref;
my $Made = 0;


# Options: deploy => 0 leaves the database empty, seed => 0 without content.
sub new {
    my ($class, %opts) = @_;
    my $self = bless { name => join('_', 'azora_sql', $$, ++$Made),
                       pid => $$ }, $class;

    $self->{server} = $self->find_server;
    $self->{admin} = $self->connect(database => 'postgres');

    if ($self->{template} && ($opts{deploy} // 1) && ($opts{seed} // 1)) {
        $self->{admin}->do(
            "CREATE DATABASE $self->{name} TEMPLATE $self->{template}");

        # a copy does not have its template's rights on the database itself
        $self->{admin}->do(
            "REVOKE ALL ON DATABASE $self->{name} FROM PUBLIC");
        $self->{admin}->do(
            "GRANT CONNECT ON DATABASE $self->{name} TO azora_app");

    } else {
        $self->{admin}->do("CREATE DATABASE $self->{name}");
        $self->deploy(($opts{seed} // 1) ? () : '--no-seed')
            if $opts{deploy} // 1;
    }

    $self->{dbh} = $self->connect;
    return $self;
}


sub find_server {
    my ($self) = @_;

    if (my $dsn = $ENV{AZORA_TEST_DSN}) {
        return { host => 'localhost', port => 5432, user => 'postgres',
                 map { split /=/, $_, 2 } split ' ', $dsn };
    }

    if (my $run = $ENV{AZORA_TEST_RUN}) {
        $self->{template} = 'azora';
        return { host => "$run/run/postgres", port => 5432,
                 user => 'postgres' };
    }

    return $self->make_server;
}


sub bin {
    my ($program) = @_;

    # PATH first: it is how one version is chosen among several
    for my $dir (split(/:/, $ENV{PATH}),
                 reverse sort glob '/usr/lib/postgresql/*/bin')
    {
        return "$dir/$program" if -x "$dir/$program";
    }

    die "$program is missing\n";
}


# PostgreSQL refuses to run as root.
sub run_server {
    my (@command) = @_;

    unshift @command, 'runuser', '-u', 'postgres', '--' if $> == 0;
    system(@command) == 0 or die "@command failed\n";
}


sub make_server {
    my ($self) = @_;
    my $dir = $self->{cluster} = tempdir('/tmp/azora-sql-XXXXXX');

    if ($> == 0) {
        my ($uid, $gid) = (getpwnam 'postgres')[2, 3];
        chown $uid, $gid, $dir;
    }

    my $log = "$dir/log";
    run_server('sh', '-c', join ' ',
        bin('initdb'), "-D $dir/data -U postgres -A trust -E UTF8",
        "--locale=C.UTF-8 --no-sync --no-instructions > $log &&",
        bin('pg_ctl'), "-D $dir/data -l $log -w -o '-c listen_addresses=",
        "-c unix_socket_directories=$dir -c fsync=off' start >> $log");

    return { host => $dir, port => 5432, user => 'postgres' };
}


# What libpq's tools need to reach the database.
sub env {
    my ($self) = @_;
    my $server = $self->{server};

    return (PGHOST => $server->{host}, PGPORT => $server->{port},
            PGUSER => $server->{user}, PGDATABASE => $self->{name},
            $server->{password} ? (PGPASSWORD => $server->{password}) : ());
}


sub deploy {
    my ($self, @options) = @_;

    local %ENV = (%ENV, $self->env);
    system("$ROOT/scripts/deploy", @options) == 0 or die "deploy failed\n";
}


# Options: database; role => 'azora_app' for what NGINX may do.
sub connect {
    my ($self, %opts) = @_;
    my $server = $self->{server};
    my $database = $opts{database} // $self->{name};

    my $dbh = DBI->connect(
        "dbi:Pg:host=$server->{host};port=$server->{port};dbname=$database",
        $server->{user}, $server->{password},
        { RaiseError => 1, PrintError => 0, AutoCommit => 1,
          pg_enable_utf8 => 1, AutoInactiveDestroy => 1 });

    $dbh->do('SET client_min_messages = warning');
    $dbh->do("SET ROLE $opts{role}") if $opts{role};
    return $dbh;
}


sub value {
    my ($self, $query, @bind) = @_;
    return ($self->{dbh}->selectrow_array($query, undef, @bind))[0];
}


sub rows {
    my ($self, $query, @bind) = @_;
    return $self->{dbh}->selectall_arrayref($query, undef, @bind);
}


# azora.caller as NGINX would fill it.
sub caller_of {
    my ($self, %of) = @_;

    return (
        'ROW(?, ?, ?, ?, NULL, ?, ?, ?, ?)::azora.caller',
        $of{as}, $of{in}, $of{roles} // ['learner'], 'request-1',
        $of{address} // '127.0.0.1', $of{route} // 'POST /v1/test',
        $of{key}, $of{payload} // ($of{key} ? 'a' x 64 : undef));
}

my %Option = map { $_ => 1 } qw(as in roles address route key payload on keyed);


# Calls an endpoint as NGINX does and gives its reply as a hash, refusals
# included: status, body, location; problem, detail, pointer.
#   as => account, in => session, key => 'k', payload => '...', on => $dbh;
#   the rest: fields.
sub call {
    my ($self, $function, %args) = @_;
    my $dbh = $args{on} // $self->app;
    my ($query, @bind) = $self->statement($function, %args);

    my $row = eval { $dbh->selectrow_arrayref($query, undef, @bind) };
    return $self->refusal($dbh) if !$row;

    return $self->reply($row);
}


sub statement {
    my ($self, $function, %args) = @_;
    my ($caller, @bind) = $self->caller_of(%args);
    my @fields = grep { !$Option{$_} } sort keys %args;
    my $fields = join '', map { ", \"$_\" => ?" } @fields;
    my @values = map { ref $_ eq 'HASH' ? $JSON->encode($_) : $_ }
        @args{@fields};

    return ("SELECT status, body, etag, location
             FROM $function(caller => $caller$fields)", @bind, @values)
        if !$args{keyed};

    return ("SELECT k.status, k.body, k.etag, k.location
             FROM azora.idempotency_begin($caller) AS c
                  CROSS JOIN LATERAL $function(caller => c$fields) AS r
                  CROSS JOIN LATERAL azora.idempotency_keep(c, r) AS k",
            @bind, @values);
}


sub reply {
    my ($self, $row) = @_;
    my ($status, $body, $etag, $location) = @$row;
    my $document = defined $body ? $JSON->decode($body) : undef;

    my %reply = (status => $status, body => $document, text => $body,
                 location => $location);
    @reply{qw(problem detail pointer)}
        = @$document{qw(problem detail pointer)}
        if $status >= 400 && ref $document eq 'HASH';
    return \%reply;
}


# What a raised refusal says; anything but class AZ is an error of ours.
sub refusal {
    my ($self, $dbh) = @_;
    my $state = $dbh->state;

    die $dbh->errstr if $state !~ /^AZ(\d\d\d)$/;

    my $status = $1;
    my ($message, $detail, $hint) = map {
        my $part = $dbh->pg_error_field($_);
        defined $part && length $part ? $part : undef
    } qw(message_primary message_detail message_hint);

    return { status => $message, text => $detail, location => $hint,
             body => $detail && $JSON->decode($detail), repeat => 1 }
        if $status eq '000';

    return { status => $status, problem => $message, detail => $detail,
             pointer => $hint };
}


# The connection that may do what NGINX may.
sub app {
    my ($self) = @_;
    return $self->{app} //= $self->connect(role => 'azora_app');
}


# A batch of transfers; each item is { as, to, amount, currency, memo, key,
# payload }. Gives the replies in the order of the items.
sub transfers {
    my ($self, $items, %opts) = @_;
    my $dbh = $opts{on} // $self->app;
    my ($query, @bind) = $self->transfer_statement($items);
    my $rows = $dbh->selectall_arrayref($query, { Slice => {} }, @bind);

    return $self->batch_replies($rows);
}


sub transfer_statement {
    my ($self, $items) = @_;
    my (@callers, @bind, %column);

    for my $item (@$items) {
        my ($caller, @of) = $self->caller_of(
            route => 'POST /v1/wallets/{currency}/transfers', %$item);
        push @callers, $caller;
        push @bind, @of;
        push @{$column{currency}}, $item->{currency} // 'AZR';
        push @{$column{$_}}, $item->{$_} for qw(to amount memo);
    }

    return ('SELECT ordinal, status, body, etag, location, problem, detail,
                    pointer
             FROM ledger.transfer_batch(callers => ARRAY['
            . join(', ', @callers) . '],
                  currency => ?::text[], "to" => ?::text[],
                  amount => ?::text[], memo => ?::text[])',
            @bind, @column{qw(currency to amount memo)});
}


sub batch_replies {
    my ($self, $rows) = @_;
    my @replies;

    for my $row (@$rows) {
        $row->{text} = $row->{body};
        $row->{body} = $JSON->decode($row->{body}) if defined $row->{body};
        $replies[$row->{ordinal} - 1] = $row;
    }

    return \@replies;
}


# Runs a statement in a process and on a connection of its own, as NGINX's role
# unless { role } is given first; finish() gives its outcome, wait_for_lock()
# makes a race certain.
sub start {
    my ($self, @query) = @_;
    my $role = ref $query[0] ? shift(@query)->{role} : 'azora_app';
    my ($query, @bind) = @query;

    pipe my $reader, my $writer or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        my $dbh = $self->connect(role => $role);
        my $rows;

        $writer->autoflush(1);
        print $writer $dbh->{pg_pid}, "\n";
        $rows = eval {
            $dbh->selectall_arrayref($query, { Slice => {} }, @bind);
        };
        print $writer $JSON->encode($rows ? { rows => $rows }
            : { state => $dbh->state, error => $dbh->errstr,
                message => $dbh->pg_error_field('message_primary'),
                detail => $dbh->pg_error_field('message_detail') }), "\n";
        close $writer;
        POSIX::_exit(0);
    }

    close $writer;
    chomp(my $backend = <$reader> // die "the process said nothing\n");
    return { pid => $pid, reader => $reader, backend => $backend };
}


# { rows } of a statement that start() began, or { state, message, detail }.
sub finish {
    my ($self, $started) = @_;
    my $reader = $started->{reader};
    my $outcome = <$reader>;

    waitpid $started->{pid}, 0;
    return $JSON->decode($outcome // die "the process died\n");
}


# Waits until a started statement is stuck behind a lock; dies after 10 s.
sub wait_for_lock {
    my ($self, $started) = @_;

    for (1 .. 1000) {
        return 1 if $self->value(
            "SELECT wait_event_type = 'Lock' FROM pg_stat_activity
             WHERE pid = ?", $started->{backend});
        select undef, undef, undef, 0.01;
    }

    die "nothing waits for a lock\n";
}


# An account with this name; its e-mail address is name@example.org.
sub register {
    my ($self, $name) = @_;
    my $r = $self->call('identity.register', email => "$name\@example.org",
        password => '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA',
        name => $name);

    die "cannot register $name: $r->{problem}\n" if $r->{status} != 201;
    return $r->{body}{id};
}


# Gives an account money, in minor units, from outside.
sub issue {
    my ($self, $account, $currency, $minor) = @_;
    $self->value(
        "SELECT ledger.post(ARRAY[ledger.movement(
             ledger.house('issuance', ?), ledger.wallet(?, ?), ?, ?,
             'issue')])", $currency, $account, $currency, $minor, $currency);
}


sub balance {
    my ($self, $account, $currency) = @_;
    return $self->value(
        "SELECT balance FROM ledger.account
         WHERE owner = ? AND currency = ? AND kind = 'wallet'",
        $account, $currency // 'AZR') // 0;
}


# A webhook of an account, for events of the type test.told.
sub webhook {
    my ($self, $account) = @_;
    return $self->value(q{
        INSERT INTO journal.webhook (id, account, url, types, key, since)
        SELECT azora.uuid7(), ?, 'https://example.org/', '{test.told}', 'k',
               t.size
        FROM journal.tree AS t
        RETURNING id}, $account);
}


# Gives numbers to the entries that wait, as the sequencer does.
sub number_entries {
    my ($self) = @_;
    $self->{dbh}->do(q{
        WITH numbered AS (
            UPDATE journal.entry AS e
            SET seq = w.seq
            FROM (SELECT e.id, t.size + row_number() OVER (ORDER BY e.id) - 1
                         AS seq
                  FROM journal.entry AS e CROSS JOIN journal.tree AS t
                  WHERE e.seq IS NULL) AS w
            WHERE e.id = w.id
            RETURNING e.seq)
        UPDATE journal.tree AS t
        SET size = (SELECT max(n.seq) + 1 FROM numbered AS n),
            checkpoint = 'test'});
}


# What is wrong with the books: nothing, in a ledger that can be trusted.
sub errors_in_books {
    my ($self) = @_;
    return $self->rows('SELECT invariant, account FROM ledger.verify()');
}


sub DESTROY {
    my ($self) = @_;
    local ($?, $@);

    return if $self->{pid} != $$;
    $_->disconnect for grep { $_ } @$self{qw(dbh app)};

    if ($self->{admin}) {
        eval {
            $self->{admin}->do(
                "DROP DATABASE IF EXISTS $self->{name} WITH (FORCE)");
        };
        $self->{admin}->disconnect;
    }

    if (my $dir = $self->{cluster}) {
        run_server(bin('pg_ctl'), '-D', "$dir/data", '-s', '-m', 'immediate',
                   'stop') if -e "$dir/data/postmaster.pid";
        system 'rm', '-rf', $dir;
    }
}


1;

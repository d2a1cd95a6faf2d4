# The lanes to PostgreSQL: what travels together ends apart.

use strict;
use warnings;

use Azora::Probe qw(together workload);
use Azora::Process qw(poll_until);
use Azora::Test;
use Test::More;

my $azora = Azora::Probe->start(workers => 1);


sub read_of { return ['GET', "/probe/read?n=$_[0]"] }


sub batch_of {
    my ($n, $text) = @_;
    return ['POST', '/probe/batch', json => {
        n => $n, defined $text ? (text => $text) : () }];
}


sub statuses {
    my %count;
    $count{ $_->{status} }++ for @_;
    return \%count;
}


subtest 'every read gets its own answer' => sub {
    my @answers = together($azora, map { read_of($_) } 1 .. 150);

    is_deeply(statuses(@answers), { 200 => 150 }, 'all are answered');
    is_deeply([map { $_->{json}{value} } @answers], [1 .. 150],
              'none gets the answer of another');
};


subtest 'a failing read fails alone' => sub {
    my $mark = $azora->mark;
    my @answers = together($azora, map {
        $_ % 10 ? read_of($_) : ['GET', '/probe/divide?n=0'],
    } 1 .. 100);

    is_deeply(statuses(@answers), { 200 => 90, 500 => 10 },
              'its neighbours in the pipeline are served');
    is_deeply([map { $_->{json}{value} } grep { $_->{status} == 200 } @answers],
              [grep { $_ % 10 } 1 .. 100], 'with their own answers');
    unlike($answers[9]{body}, qr/22012|division|SELECT/i,
           'the client reads no word of SQL');
    like($azora->error_log($mark), qr/"probe\.divide" failed .* 22012/,
         'the log names the statement and the SQLSTATE');
};


subtest 'a function that does not exist fails alone' => sub {
    my @answers = together($azora, map {
        $_ % 5 ? read_of($_) : ['GET', '/probe/missing?n=1'],
    } 1 .. 50);

    is_deeply(statuses(@answers), { 200 => 40, 500 => 10 },
              'the others are served');
};


subtest 'results of any size arrive whole' => sub {
    my @sizes = (10, 50_000, 60_000, 3_000_000, 10, 700_000);
    my @answers = together($azora, map { ['GET', "/probe/big?n=$_"] } @sizes);

    is_deeply([map { length $_->{json}{value} } @answers], \@sizes,
              'up to megabytes, beside small ones');
};


subtest 'what waits for a batch goes in one call' => sub {
    my $before = $azora->value('SELECT last_value FROM probe.calls');
    my @texts = ('plain', 'a "quoted" \\ text', '{1,2}', 'NULL', '',
                 "t\x{e4}gliche \x{1f600}", undef, "two\nlines");
    my @answers = together($azora, map {
        batch_of($_, $texts[$_ % @texts]) } 1 .. 200);
    my $calls = $azora->value('SELECT last_value FROM probe.calls') - $before;

    is_deeply(statuses(@answers), { 200 => 200 }, 'all are answered');
    is_deeply([map { $_->{json}{text} } @answers],
              [map { $texts[$_ % @texts] } 1 .. 200],
              'each with its own item, whatever its text holds');
    cmp_ok($calls, '<', 60, "200 items took $calls calls");
    is($azora->value('SELECT count(*) FROM probe.item WHERE n <= 200'), 200,
       'each was done once');
};


subtest 'an item refused by the function is refused alone' => sub {
    my @answers = together($azora, map { batch_of($_) } 401 .. 412);

    is_deeply(statuses(@answers), { 200 => 10, 409 => 1, 500 => 1 },
              'one refused, one left out by the function');
    is($answers[8]{json}{type}, '/problems/insufficient-funds', 'its problem');
    is($answers[8]{json}{detail}, 'There is too little.', 'its sentence');
    is($answers[3]{status}, 500, 'an item without a row is an error');
};


subtest 'an item that breaks the call breaks it for itself only' => sub {
    $azora->sql('DELETE FROM probe.item');

    # 1000 / (1000 - n) fails for one of them, and with it the whole call
    my @answers = together($azora, map { batch_of($_) } 981 .. 1020);

    is_deeply(statuses(@answers), { 200 => 39, 500 => 1 },
              'its neighbours are served');
    is($answers[19]{status}, 500, 'the right one failed');
    is($azora->value('SELECT count(*) FROM probe.item'), 39,
       'and nothing was done twice');
};


subtest 'a refusal at commit is not a success' => sub {
    my $r = $azora->post('/probe/late', json => { n => 77 });

    is($r->{status}, 500, 'a deferred constraint is heard');
    is($azora->value('SELECT count(*) FROM probe.child'), 0, 'nothing is kept');

    $azora->sql('INSERT INTO probe.parent VALUES (77)');
    $r = $azora->post('/probe/late', json => { n => 77 });
    is($r->{status}, 200, 'and satisfied');
    is($azora->value('SELECT count(*) FROM probe.child'), 1, 'kept');
};


subtest 'the sessions are set up' => sub {
    my $settings = $azora->get('/probe/settings')->{json};

    is($settings->{application_name}, 'azora/read', 'named by their lane');
    is($settings->{statement_timeout}, '2s', 'bounded by the lane');
    is($settings->{TimeZone}, 'UTC', 'in UTC');
    is($settings->{client_encoding}, 'UTF8', 'in UTF-8');
    is($settings->{jit}, 'off', 'without JIT');

    my %lanes = map { $_->{name} => $_->{n} } $azora->sql(<<'END');
SELECT application_name AS name, count(*) AS n FROM pg_stat_activity
 WHERE datname = current_database() AND application_name LIKE 'azora/%'
   AND application_name <> 'azora/listen'
 GROUP BY 1
END
    is_deeply(\%lanes, { 'azora/read' => 2, 'azora/write' => 8,
                         'azora/batch' => 1, 'azora/slow' => 1 },
              'as many as configured');
};


subtest 'parameters stay out of the log' => sub {
    my $mark = $azora->mark;

    $azora->sql('ALTER TABLE probe.item ADD CONSTRAINT item_short '
                . 'CHECK (length(note) < 20)');
    my $r = $azora->post('/probe/write', json => {
        n => 1, text => 'confidential-4711-confidential' });

    is($r->{status}, 500, 'the row violates a constraint');
    like($azora->error_log($mark), qr/"probe\.write" failed .* 23514/,
         'which the log says');
    unlike($azora->error_log($mark), qr/confidential/, 'without the row');
    $azora->sql('ALTER TABLE probe.item DROP CONSTRAINT item_short');
};


subtest 'new functions under load' => sub {
    my $stop = workload($azora, 4, sub {
        my ($n) = @_;
        return $n % 2 ? @{ read_of($n) } : @{ batch_of($n) };
    });

    for my $i (1 .. 10) {
        my $dbh = $azora->dbh;
        my ($type, $row) = $i % 2
            ? ('azora.reply', "probe.reply('$i:' || n)")
            : ('TABLE (status int, body jsonb, etag text, location text)',
               "200, jsonb_build_object('value', '$i:' || n), NULL, NULL");

        $dbh->begin_work;
        $dbh->do('DROP FUNCTION probe.read');
        $dbh->do('CREATE FUNCTION probe.read(caller azora.caller, n bigint) '
                 . "RETURNS $type LANGUAGE sql STABLE AS \$\$SELECT $row\$\$");
        $dbh->commit;
        $dbh->disconnect;

        my @values = map { $_->{json}{value} }
                     together($azora, map { read_of(1) } 1 .. 20);
        is_deeply(\@values, [("$i:1") x 20], "version $i answers");
    }

    my %count;
    $count{ $_->[1] }++ for $stop->();
    cmp_ok($count{200}, '>=', 10, "$count{200} requests meanwhile");
    is_deeply([keys %count], [200], 'no client noticed');
};


subtest 'a client that leaves' => sub {
    $azora->sql('DELETE FROM probe.item');
    my @clients = map { $azora->connect } 1 .. 8;

    for my $n (1 .. 8) {
        $clients[$n - 1]->write(Azora::HTTP::format_request(
            'POST', '/probe/pause', json => { n => $n, text => '0.3' }));
    }

    ok(poll_until(5, sub {
        $azora->value(<<'END') == 8 }), 'all statements run');
SELECT count(*) FROM pg_stat_activity
 WHERE application_name = 'azora/write' AND state = 'active'
   AND datname = current_database()
END
    $_->reset for @clients;

    is($azora->post('/probe/write', json => { n => 9 })->{status}, 200,
       'does not take its connection with it');
    ok(poll_until(5, sub {
        $azora->value('SELECT count(*) FROM probe.item WHERE n < 10') == 9 }),
       'and what it sent is done');
};

done_testing();

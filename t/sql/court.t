# The constitution: every rule's own examples, what NGINX loads, the hash that
# names it, and the record of decisions.

use strict;
use warnings;

use Test::More;
use JSON::PP ();

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my $ama = $sql->register('ama');
my $json = JSON::PP->new;

my $text = $sql->call('court.constitution')->{body};
is(scalar @{$text->{principles}}, 5, 'five principles');
is(scalar @{$text->{articles}}, 16, 'sixteen articles');
my %title = map { ($_->{number} => $_->{title}) } @{$text->{articles}};
is($title{VI}, 'Infrastructure independence', 'Article VI');
is($title{XVI}, 'No mock', 'Article XVI');
like($text->{hash}, qr/^[0-9a-f]{64}$/, 'a hash');


sub enacted {
    $json->decode($sql->app->selectrow_array('SELECT court.enacted_rules()'));
}


my $enacted = enacted();
is($enacted->{hash}, $text->{hash}, 'NGINX loads the same text');
cmp_ok($enacted->{generation}, '>=', 1, 'with its generation');
cmp_ok(scalar @{$enacted->{rules}}, '>=', 5, 'and its rules');

for my $rule (@{$enacted->{rules}}) {
    my $pattern = eval { qr/$rule->{pattern}/ };
    ok($pattern, "$rule->{id}: the pattern compiles") or next;
    is($rule->{article_title}, $title{$rule->{article}},
       "$rule->{id}: rests on Article $rule->{article}");
    cmp_ok(length $_, '>', 10, "$rule->{id}: $_") for $rule->{reason};
    like($_, $pattern, "$rule->{id} matches: $_")
        for @{$rule->{examples}{match}};
    unlike($_, $pattern, "$rule->{id} lets pass: $_")
        for @{$rule->{examples}{no_match}};
    # bounded: nothing that looks like a match may take long to give up
    my $long = 'You must pay ' x 800;
    my $started = times;
    $long =~ $pattern;
    cmp_ok(times - $started, '<', 1, "$rule->{id}: 10 kB in time");
}

# a change of what is enacted changes the hash
$sql->{dbh}->do("UPDATE court.rule SET state = 'repealed'
                 WHERE id = 'paid-outside'");
isnt(enacted()->{hash}, $text->{hash}, 'a repealed rule changes the hash');
is(scalar(grep { $_->{id} eq 'paid-outside' } @{enacted()->{rules}}), 0,
   'and is not loaded any more');

my $moved = $sql->value("SELECT azora.bump('constitution')");
is(enacted()->{generation}, $moved, 'a bump is seen');
is($sql->app->selectrow_array("SELECT value FROM azora.generations()
                               WHERE name = 'constitution'"), $moved,
   'by every node that begins to listen');

# decisions
my $r = $sql->call('court.record_decision', as => $ama,
    route => 'POST /v1/jobs', effect => 'deny', rules => '["applicant-fees"]',
    article => 'IV', hash => $text->{hash},
    excerpt => '[{"pointer":"/description","text":"pay a deposit of **"}]');
is($r->{status}, 201, 'a decision is recorded');
is_deeply($sql->rows('SELECT subject, route, effect, article, constitution,
                             rules::text, excerpt -> 0 ->> \'pointer\'
                      FROM court.decision WHERE id = ?', $r->{body}{id}),
          [[$ama, 'POST /v1/jobs', 'deny', 4, $text->{hash},
            '["applicant-fees"]', '/description']], 'as it was made');
is($sql->value("SELECT count(*) FROM journal.entry
                WHERE type = 'constitution.decided'"), 1, 'and journaled');

$r = $sql->call('court.record_decision', effect => 'flag', rules => '[]',
                article => undef, hash => $text->{hash}, excerpt => undef);
is($r->{status}, 201, 'also of an anonymous caller');

# the journal: the entry proves the payload and holds nothing personal
is($sql->value("
    SELECT count(*) FROM journal.entry AS e
           JOIN journal.payload AS p ON p.entry = e.id
    WHERE e.payload_hash <> sha256(p.salt || convert_to(p.body::text,
                                                         'UTF8'))"),
   0, 'every entry is the hash of its payload');
is($sql->value('SELECT count(*) - count(DISTINCT salt) FROM journal.payload'),
   0, 'salts differ');
is($sql->value('SELECT count(*) FROM journal.entry
                WHERE at <> date_trunc(\'minute\', at)'), 0,
   'its time is coarse');

done_testing();

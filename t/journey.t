#!/usr/bin/env perl

# The journey of the README, copied out of it and run as it stands: each `sh`
# block in one shell after the other, each `text` block what the one before
# must print, where an ellipsis stands for anything.  Then the books.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Azora::Process qw(poll_until slurp spew);
use Azora::Test;
use Test::More;

my $readme = slurp("$Azora::Test::ROOT/README.md");

my ($journey) = $readme =~ /^## The journey\n(.*?)(?=^## )/ms
    or BAIL_OUT('the README has no journey');

my (@steps, $title);

while ($journey =~ /^(?:### ([^\n]+)|```(sh|text)\n(.*?)^```)$/msg) {
    if (defined $1)      { $title = $1 }
    elsif ($2 eq 'sh')   { push @steps, { title => $title, sh => $3 } }
    else                 { $steps[-1]{text} = $3 }
}

my $azora = Azora::Test->start(
    limits => 'real',
    $ENV{AZORA_TEST_VALGRIND}
        ? (workers => 1, valgrind => 1,
           # memcheck keeps descriptors of its own
           expect_alert => qr/setrlimit\(RLIMIT_NOFILE/)
        : (workers => 2));
my $dir = $azora->{dir};
my $script = "export AZORA=http://127.0.0.1:$azora->{port}\n";

for my $i (0 .. $#steps) {
    my $sh = $steps[$i]{sh};

    $sh =~ s/^AZORA=.*\n//mg;   # the port is this test's
    $script .= "{\n$sh} > '$dir/step.$i' 2>&1 < /dev/null\n";
}

spew("$dir/journey.sh", $script);
is system('timeout', 120 * $azora->patience, 'bash', "$dir/journey.sh"), 0,
    'the shell reached the end';

for my $i (0 .. $#steps) {
    my $step = $steps[$i];
    my $printed = -e "$dir/step.$i" ? slurp("$dir/step.$i") : '';
    next if !defined $step->{text};

    my $expected = join '.*?', map { quotemeta }
        split /…/, $step->{text} =~ s/\s+\z//r, -1;
    $expected =~ s/(?:\\\n|\\ )+/\\s+/g;

    like $printed, qr/\A\s*$expected\s*\z/s, $step->{title};
}

my ($amina, $baraka) = map {
    $azora->value('SELECT id FROM identity.account WHERE email = ?', $_)
} 'amina@example.org', 'baraka@example.org';

sub balance {
    my ($owner) = @_;
    return $azora->value(q{SELECT balance FROM ledger.account
                           WHERE owner = ? AND currency = 'AZR'}, $owner);
}

# Minor units, 8 decimals: 9 of the reward, less 4 to Baraka, and of the 2 that
# Baraka put in escrow 85% again.
is balance($amina), 670_000_000, 'Amina has 6.7 AZR';
is balance($baraka), 200_000_000, 'Baraka has 2 AZR';
is $azora->value(q{SELECT sum(balance) FROM ledger.account
                   WHERE kind = 'citadel_fund' AND currency = 'AZR'}),
   100_000_000, 'the CitadelFund has its tenth of the reward';
is $azora->value(q{SELECT sum(balance) FROM ledger.account
                   WHERE kind = 'marketplace' AND currency = 'AZR'}),
   30_000_000, 'the marketplace has 15% of the milestone';
is $azora->value(q{SELECT sum(balance) FROM ledger.account
                   WHERE kind = 'escrow' AND currency = 'AZR'}),
   0, 'nothing is left in escrow';
is $azora->value(q{SELECT sum(balance) FROM ledger.account}), 0,
   'all balances sum to zero';
is $azora->value(q{SELECT count(*) FROM ledger.account AS a
                   WHERE balance <> (SELECT coalesce(sum(amount), 0)
                                     FROM ledger.posting
                                     WHERE account = a.id)}),
   0, 'every balance is the sum of its postings';
is $azora->value(q{SELECT count(*) FROM market.job}), 1,
   'the refused job post left no row';

my %journaled = map { $_->{type} => $_->{n} } $azora->sql(
    'SELECT type, count(*) AS n FROM journal.entry GROUP BY type');

for my $type (qw(user.registered course.enrolled course.passed reward.posted
                 payment.completed job.posted job.applied milestone.funded
                 milestone.released constitution.decided)) {
    ok $journaled{$type}, "$type is journaled";
}

diag('journaled: ' . join ' ', map { "$_=$journaled{$_}" }
     sort keys %journaled);

done_testing;

#!/usr/bin/perl

# What auditors see: all that happened, in the order of the log, filtered and
# in pages, also when it was erased, and that they looked.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 1);
my $amina = $azora->user('amina');
my $ben = $azora->user('ben');
my $auditor = $azora->user('audrey', roles => ['auditor']);
my $admin = $azora->user('adia', roles => ['admin']);


sub audit {
    my ($query, $who) = @_;
    return $azora->get('/v1/audit' . ($query ? "?$query" : ''),
                       token => ($who || $auditor)->{token});
}


# Every page of a query, with the number of pages.
sub all {
    my ($query) = @_;
    my (@items, $pages, $next);

    do {
        my $r = audit(join '&', $query || (), $next ? "cursor=$next" : ());
        die "$r->{status} $r->{body}\n" if $r->{status} != 200;
        push @items, @{ $r->{json}{items} };
        $next = $r->{json}{next};
        die "no end\n" if ++$pages > 100;
    } while ($next);

    return \@items, $pages;
}


sub numbered {
    return poll_until(10 * $azora->patience, sub {
        !$azora->value('SELECT count(*) FROM journal.entry WHERE seq IS NULL');
    });
}


subtest 'who may look' => sub {
    is audit('', $amina)->{status}, 403, 'not everybody';
    is $azora->get('/v1/audit')->{status}, 401, 'not nobody';
    is audit('', $auditor)->{status}, 200, 'auditors';
    is audit('', $admin)->{status}, 200, 'administrators';
};


subtest 'everything in order' => sub {
    ok numbered(), 'all is numbered';
    my $size = $azora->value('SELECT size FROM journal.tree');
    my ($items) = all("limit=3");
    my @seqs = map { $_->{index} } @$items;
    is_deeply [@seqs[0 .. $size - 1]], [0 .. $size - 1],
        'from the first number on, no gap, no repeat';
    cmp_ok scalar @seqs, '>=', $size, 'up to the last';

    my ($registered) = grep {
        $_->{type} eq 'user.registered'
            && ($_->{subject} || '') eq $amina->{id}
    } @$items;
    is $registered->{payload}{account}, $amina->{id}, 'with what happened'
        or diag explain $registered;
    like $registered->{at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
        'and when exactly';
    is $registered->{at}, $azora->value('SELECT azora.rfc3339(created_at)
        FROM journal.payload WHERE entry = ?', $registered->{id}),
        'that is the time it was';
    ok !$registered->{erased}, 'it is not erased';
};


subtest 'filters' => sub {
    my ($items) = all("subject=$ben->{id}");
    ok @$items, "there are Ben's";
    is 0, (grep { $_->{subject} ne $ben->{id} } @$items), 'and only his';

    ($items) = all('type=user.registered');
    is_deeply [sort map { $_->{subject} } @$items],
        [sort map { $_->{id} } $amina, $ben, $auditor, $admin],
        'a type alone';
    ($items) = all("type=user.registered&subject=$amina->{id}");
    is @$items, 1, 'both';
    ($items) = all('type=no.such');
    is @$items, 0, 'none of a type that there is not';

    my $at = $azora->value('SELECT azora.rfc3339(created_at)
        FROM journal.payload AS p JOIN journal.entry AS e ON e.id = p.entry
        WHERE p.subject = ? AND e.type = ?', $ben->{id}, 'user.registered');
    my ($before) = all("to=$at&type=user.registered");
    my ($after) = all("from=$at&type=user.registered");
    is_deeply [map { $_->{subject} } @$before], [$amina->{id}],
        'until a time, which is not included';
    is_deeply [map { $_->{subject} } @$after],
        [$ben->{id}, $auditor->{id}, $admin->{id}],
        'from a time on, which is';
    ($items) = all("from=$at&to=$at");
    is @$items, 0, 'no time at all';
    is audit('cursor=bogus!')->{status}, 400, 'a cursor of one\'s own making';
    is audit('from=yesterday')->{status}, 422, 'a time that is none';
};


subtest 'pages while it grows' => sub {
    my $first = audit('type=probe.many&limit=10')->{json};
    is @{ $first->{items} }, 0, 'nothing yet';
    $azora->sql("SELECT journal.append('probe.many', NULL,
                 jsonb_build_object('n', i)) FROM generate_series(1, 50) i");
    ok numbered(), 'fifty happened';

    my (@seen, $next);
    do {
        my $r = audit('type=probe.many&limit=7' . ($next ? "&cursor=$next"
                                                         : ''));
        push @seen, map { $_->{payload}{n} } @{ $r->{json}{items} };
        $next = $r->{json}{next};
        $azora->sql("SELECT journal.append('probe.other', NULL, '{}')");
    } while ($next && @seen < 200);
    is_deeply [sort { $a <=> $b } @seen], [1 .. 50], 'each is seen once';
};


subtest 'a log that is long' => sub {
    $azora->sql("SELECT journal.append_batch('probe.noise',
        array_fill(NULL::uuid, ARRAY[21000]),
        array_fill('{}'::json, ARRAY[21000]),
        array_fill(NULL::text, ARRAY[21000]))");
    $azora->sql("SELECT journal.append('probe.rare', NULL, '{}')");
    ok poll_until(30 * $azora->patience, sub {
        !$azora->value('SELECT count(*) FROM journal.entry WHERE seq IS NULL');
    }), 'many happened';
    my ($items, $pages) = all('type=probe.rare');
    is @$items, 1, 'what is rare is found';
    cmp_ok $pages, '>', 1, 'in pages that each look at a part';
    ($items, $pages) = all("subject=$ben->{id}");
    ok @$items && $pages == 1, 'one\'s own are found at once';
};


subtest 'what was erased' => sub {
    $azora->sql('DELETE FROM journal.payload WHERE subject = ?', $ben->{id});
    my ($items) = all('type=user.registered');
    is @$items, 4, 'the entries are all there';
    my @erased = grep { $_->{erased} } @$items;
    is @erased, 1, 'one is erased';
    is $erased[0]{payload}, undef, 'nothing of it is left';
    is $erased[0]{subject}, undef, 'nor whom it was about';
    like $erased[0]{at}, qr/:00\.000Z$/, 'but about when';
};


subtest 'auditors are seen too' => sub {
    ok numbered(), 'all is numbered';
    my ($items) = all("type=audit.read&subject=$auditor->{id}");
    ok @$items > 10, 'each query is journaled';
    my ($one) = grep { ($_->{payload}{type} || '') eq 'probe.rare' } @$items;
    is $one->{payload}{account}, $auditor->{id}, 'who';
    is $one->{payload}{type}, 'probe.rare', 'and what was asked for';
};


done_testing;

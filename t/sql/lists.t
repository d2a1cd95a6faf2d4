# Every list takes the cursors that it gave, and no others.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my $ama = $sql->register('ama');

my %lists = map { $_->[0] => $_->[1] } @{ $sql->rows(q{
    SELECT p.oid::regproc::text, p.proargnames
    FROM pg_proc AS p JOIN pg_type AS t ON t.oid = p.prorettype
    WHERE t.typname = 'reply' AND p.proargnames[1] = 'caller'
      AND 'cursor' = ANY (p.proargnames)}) };


# What it answers to a cursor, when nothing else is asked.
sub answer {
    my ($list, $cursor) = @_;
    my ($caller, @bind) = $sql->caller_of(as => $ama);
    my $given = join ', ', map {
        my $value = $_ eq 'caller' ? $caller : $_ eq 'cursor' ? '?' : 'NULL';
        qq{"$_" => $value};
    } @{ $lists{$list} };
    my $row = $sql->app->selectrow_arrayref(
        "SELECT r.status, r.body ->> 'problem' FROM $list($given) AS r",
        undef, @bind, $cursor);

    return "@$row";
}


cmp_ok(scalar keys %lists, '>=', 20, 'the lists');

my %wrong = ('no cursor at all' => 'x!', 'one of bytes' => '_____w',
             'another list\'s' => $sql->value(
                 "SELECT azora.cursor_encode('Of another list')"));

for my $list (sort keys %lists) {
    for my $what (sort keys %wrong) {
        is(answer($list, $wrong{$what}), '400 invalid-cursor',
           "$list: $what");
    }
}

# numbers, texts and identifiers
is_deeply($sql->rows(q{
    SELECT azora.cursor_text(NULL, '^a$'), azora.cursor_text(NULL, '^a$', 'z'),
           azora.cursor_text(azora.cursor_encode('a'), '^a$', 'z'),
           azora.cursor_text(azora.cursor_encode('b'), '^a$', 'z'),
           azora.cursor_text('', '^a$'), azora.cursor_text('!', '.*')})->[0],
    ['', 'z', 'a', undef, undef, undef], 'where a list goes on');

done_testing();

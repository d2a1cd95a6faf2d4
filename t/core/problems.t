#!/usr/bin/env perl

# Every problem that C or SQL can raise has a title and a page, and every page
# is about a problem that can be raised.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Process qw(slurp);
use Azora::Test;
use File::Find qw(find);
use Test::More;

my (%raised, %explained);
my $root = $Azora::Test::ROOT;

find({ no_chdir => 1, wanted => sub {
    my $text = /\.(?:c|sql)\z/ ? slurp($_) : return;

    if (/ngx_azora_problems\.c\z/) {
        $explained{$1} = $2
            while $text =~ /\{ "([a-z-]+)", "((?:[^"\\]|\\.)*)"/g;
        return;
    }

    # ngx_azora_problem(r, status, "name", ...; azora.refuse(status, 'name', ...
    $raised{$1} = $_
        while $text =~
            /(?:ngx_azora_problem|_refuse)\([^;]*?"([a-z]+(?:-[a-z]+)*)",/g;
    $raised{$1} = $_
        while $text =~ /azora\.refus(?:e|al)\(\s*\d+,\s*'([a-z-]+)'/g;

    # tables: NGINX's own statuses, the ledger's
    $raised{$1} = $_
        while $text =~ /\{ (?:NGX_HTTP_\w+|\d{3}), "([a-z-]+)" \}/g;
    $raised{$1} = $_ while $text =~ /\('([a-z]+(?:-[a-z]+)+)', [45]\d\d,/g;
} }, map { "$root/$_" } qw(ngx_azora_core modules sql/functions));

cmp_ok scalar keys %raised, '>', 40, 'the sources were read';
is_deeply [grep { !$explained{$_} } sort keys %raised], [],
    'each problem that is raised is explained';
is_deeply [grep { !$raised{$_} } sort keys %explained], [],
    'each that is explained is raised somewhere';

my $azora = Azora::Test->start(workers => 1);

for my $name (sort keys %explained) {
    my $r = $azora->get("/problems/$name");
    next if $r->{status} == 200 && index($r->{body}, $explained{$name}) > 0
            && $r->{headers}{'content-type'} =~ m{^text/html};
    fail "the page of $name";
    diag "$r->{status} $r->{body}";
}

my $r = $azora->get('/problems/');
is scalar(() = $r->{body} =~ m{href="/problems/[a-z-]+"}g),
    scalar keys %explained, 'the index lists them all';

is $azora->get('/problems/no-such-problem')->{json}{type},
    '/problems/not-found', 'an unknown one is a problem itself';
is $azora->post('/problems/', json => {})->{status}, 405, 'they are read only';

done_testing;

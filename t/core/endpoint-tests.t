#!/usr/bin/env perl

# Every endpoint has a test: each operation of /openapi.json, which is made
# from the rows, is named in some t/*/*.t, either as it stands there
# ("GET /v1/courses/{slug}") or in a call that asks for such a path.

use strict;
use warnings;

use File::Find qw(find);
use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Process qw(slurp);
use Azora::Test;
use Test::More;

my %tests;
find({ no_chdir => 1, wanted => sub {
    return if !/\.t\z/ || $_ =~ m{/endpoint-tests\.t\z};
    $tests{$_} = join "\n", grep { !/^\s*#/ } split /\n/, slurp($_);
} }, "$Azora::Test::ROOT/t");

# Lines that ask for a path of this template with this method.
sub asks {
    my ($method, $path) = @_;
    my $name = lc $method;
    my $form = join '[^\'"/?]+', map { quotemeta } split /\{[^}]+\}/, $path, -1;

    return qr/(?:->\Q$name\E\(|['"]\Q$method\E['"],)\s*['"]$form['"?]/;
}

sub naming {
    my ($method, $path) = @_;
    my $asks = asks($method, $path);

    return grep { index($tests{$_}, "$method $path'") >= 0
                  || $tests{$_} =~ $asks } sort keys %tests;
}

ok !naming('GET', '/v1/no-such-thing'), 'what no test names is not found';
like q{$azora->post("/v1/a/$b/c", token => 1)}, asks('POST', '/v1/a/{x}/c'),
     'a call names its endpoint';
unlike q{$azora->post("/v1/a/$b/c")}, asks('POST', '/v1/a/{x}'),
       'and no other';

my $azora = Azora::Test->start(workers => 1);
my $paths = $azora->get('/openapi.json')->{json}{paths};
my $endpoints = 0;

for my $path (sort keys %$paths) {
    for my $method (map { uc } sort keys %{ $paths->{$path} }) {
        next if $method !~ /^(?:GET|POST|PUT|PATCH|DELETE)\z/;
        $endpoints++;
        ok scalar(naming($method, $path)), "$method $path has a test";
    }
}

cmp_ok $endpoints, '>', 30, 'all endpoints were asked for';

done_testing;

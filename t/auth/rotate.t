#!/usr/bin/perl

# scripts/rotate-keys: a key is published, signs, is trusted and goes, and
# tokens are good all the way.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until);
use Azora::Test;
use Azora::Token;
use Test::More;

my $azora = Azora::Test->start(workers => 1);
my $dir = "$azora->{dir}/keys";


# Runs it; returns the exit status.
sub rotate {
    my $said = qx{'$Azora::Test::ROOT/scripts/rotate-keys' @_ '$dir' 2>&1};
    note $said if $said;
    return $? >> 8;
}

sub keys_there {
    return join ' ', sort map { s{.*/}{}r =~ s{^[^.]*}{*}r } glob "$dir/*.pem";
}

# As if the keys had been moved on so many hours ago
sub hours_ago {
    my ($hours) = @_;
    my $then = time - 3600 * $hours;
    utime $then, $then, glob "$dir/*.pem";
}

sub published {
    my $jwks = $azora->get('/.well-known/jwks.json')->{json};
    return scalar @{ $jwks->{keys} };
}

sub kid { return (Azora::Token::parts($_[0]))[0]{kid} }

sub good { return $azora->get('/v1/me', token => $_[0])->{status} == 200 }


my $amina = $azora->user('amina');
hours_ago(80 * 24);
is rotate(), 0, 'a young key: nothing to do';
is keys_there(), '*.pem', 'and nothing done';

hours_ago(90 * 24);
is rotate(), 10, 'after 90 days';
is keys_there(), '*.next.pem *.pem', 'the next one is made';
is((stat glob "$dir/*.next.pem")[2] & 0777, 0600, 'for its owner only');
is rotate(), 0, 'once';
$azora->reload;
is published(), 2, 'and published';
is kid($azora->login('amina')), kid($amina->{token}), 'but does not sign yet';

hours_ago(23);
is rotate(), 0, 'not within a day';
hours_ago(24);
is rotate(), 10, 'a day later';
is keys_there(), '*.pem *.retired.pem', 'it signs, the old one is trusted';
$azora->reload;
my $token = $azora->login('amina');
isnt kid($token), kid($amina->{token}), 'a new token has the new key';
ok good($_), 'a good token' for $token, $amina->{token};

is rotate(), 0, 'the old one is trusted for a day';
hours_ago(24);
is rotate(), 10, 'and then';
is keys_there(), '*.pem', 'goes';
$azora->reload;
ok good($token), 'tokens of the new key go on';
ok !good($amina->{token}), 'those of the old one do not';

is rotate('--now'), 10, 'by command';
is keys_there(), '*.next.pem *.pem', 'at any age';
is rotate('--age 0'), 2, 'nonsense is refused';

done_testing;

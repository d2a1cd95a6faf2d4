package Azora::Token;

# Access tokens made and taken apart with openssl's command and nothing of
# Azora's own: what tests present as forged, expired or foreign.
#
#     my $token = Azora::Token::make($pem_file, claims => { exp => 1 });
#     my ($header, $claims) = Azora::Token::parts($token);

use strict;
use warnings;

use Digest::SHA qw(sha256);
use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64url decode_base64url);

my $JSON = JSON::PP->new->canonical;


sub parts {
    my ($token) = @_;
    my ($header, $claims) = split /\./, $token;
    return map { $JSON->decode(decode_base64url($_)) } $header, $claims;
}


# RFC 7638
sub thumbprint {
    my ($jwk) = @_;
    return encode_base64url(sha256(sprintf
        '{"crv":"%s","kty":"%s","x":"%s","y":"%s"}', @$jwk{qw(crv kty x y)}));
}


# The public half of a PEM file as a JWK with its thumbprint.
sub jwk {
    my ($pem) = @_;
    my $der = _openssl('', 'pkey', '-in', $pem, '-pubout', '-outform', 'DER');
    my ($x, $y) = unpack 'a32 a32', substr $der, -64;

    my $jwk = { kty => 'EC', crv => 'P-256', x => encode_base64url($x),
                y => encode_base64url($y) };
    $jwk->{kid} = thumbprint($jwk);
    return $jwk;
}


# Options: header and claims are laid over good ones (undef removes one),
# kid, now, sub; signature => sub { raw } replaces it.
sub make {
    my ($pem, %opts) = @_;
    my $now = $opts{now} || time;

    my %header = (alg => 'ES256', typ => 'at+jwt',
                  kid => $opts{kid} || jwk($pem)->{kid},
                  %{ $opts{header} || {} });
    my %claims = (
        iss => 'https://azora.test', aud => 'azora', jti => "test-$now",
        sub => '019a9f00-0000-7000-8000-000000000001',
        iat => $now, exp => $now + 600, roles => ['learner'],
        scope => 'profile:read', %{ $opts{claims} || {} });

    for my $set (\%header, \%claims) {
        delete $set->{$_} for grep { !defined $set->{$_} } keys %$set;
    }

    my $input = join '.', map { encode_base64url($JSON->encode($_)) }
                \%header, \%claims;
    my $raw = $opts{signature} ? $opts{signature}->($input)
                               : sign($pem, $input);
    return "$input." . encode_base64url($raw);
}


# r || s, RFC 7518 3.4
sub sign {
    my ($pem, $input) = @_;
    my $der = _openssl($input, 'dgst', '-sha256', '-sign', $pem);
    my @numbers = unpack 'x2 x C/a x C/a', $der;

    return join '', map { substr(("\0" x 32) . $_, -32) } @numbers;
}


# Whether openssl finds the token's signature good.
sub verify {
    my ($pem, $token) = @_;
    my ($input, $signature) = $token =~ /\A(.*)\.([^.]*)\z/;

    my $numbers = join '', map {
        my $n = s/\A\0+//r;
        $n = "\0$n" if $n eq '' || ord($n) & 0x80;
        "\x02" . pack 'C/a', $n;
    } unpack 'a32 a32', decode_base64url($signature);

    my $public = File::Temp->new;
    my $file = File::Temp->new;
    print $public _openssl('', 'pkey', '-in', $pem, '-pubout');
    print $file "\x30" . pack 'C/a', $numbers;
    close $_ for $public, $file;

    return _openssl($input, 'dgst', '-sha256', '-verify', "$public",
                    '-signature', "$file") =~ /Verified OK/;
}


sub _openssl {
    my ($input, @arguments) = @_;
    my $file = File::Temp->new;
    binmode $file;
    print $file $input;
    close $file;

    my $command = join ' ', map { "'$_'" } 'openssl', @arguments;
    my $output = `$command < $file 2>/dev/null`;
    return $output;
}


1;

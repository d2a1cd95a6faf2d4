#!/usr/bin/perl

# The life of keys, and what a configuration is refused for.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(alive poll_until slurp spew);
use Azora::Test;
use Azora::Token;
use Test::More;

my $azora = Azora::Test->start(workers => 1,
                               expect_alert => qr/azora-keys-test/);
my $keys = "$azora->{dir}/keys";
my ($first) = glob "$keys/*.pem";
my $amina = $azora->user('amina');


sub new_key {
    my ($file, $kind) = @_;
    $kind ||= '-algorithm EC -pkeyopt ec_paramgen_curve:P-256';
    system("umask 077; openssl genpkey $kind -out $file 2>/dev/null") == 0
        or die "openssl cannot make $file\n";
}


sub status_of {
    my ($token) = @_;
    return $azora->get('/v1/me', token => $token)->{status};
}


# Until the workers of before are gone, they may answer.
sub reload {
    my @old = $azora->worker_pids;
    $azora->reload;
    poll_until(20, sub { !grep { alive($_) } @old })
        or die "old workers live on\n";
}


sub published {
    return sort map { $_->{kid} }
           @{ $azora->get('/.well-known/jwks.json')->{json}{keys} };
}


sub kid { return (Azora::Token::parts($_[0]))[0]{kid} }


subtest 'rotation' => sub {
    my $old = kid($amina->{token});
    new_key("$keys/second.next.pem");
    my $new = Azora::Token::jwk("$keys/second.next.pem")->{kid};

    is_deeply [published()], [$old], 'one key';

    reload();
    is_deeply [published()], [sort $old, $new], 'the next is published';
    is kid($azora->login('amina')), $old, 'and does not sign yet';

    rename $first, "$keys/first.retired.pem" or die;
    rename "$keys/second.next.pem", "$keys/second.pem" or die;
    reload();
    my $token = $azora->login('amina');
    is kid($token), $new, 'now it signs';
    is_deeply [published()], [sort $old, $new], 'both are published';
    is status_of($amina->{token}), 200, "the old one's token is good";
    is status_of($token), 200, "so is the new one's";
    is status_of($amina->{token}), 200, 'from the cache too';

    unlink "$keys/first.retired.pem";
    reload();
    is_deeply [published()], [$new], 'the old key is gone';
    is status_of($amina->{token}), 401, 'its token too, cached as it was';
    is status_of($token), 200, "the new one's stays";
};


subtest 'a public key of another server' => sub {
    my $other = "$azora->{dir}/other.pem";
    new_key($other);
    my $jwk = Azora::Token::jwk($other);
    my $token = Azora::Token::make($other,
                                   claims => { sub => $amina->{id} });

    is status_of($token), 401, 'is not known';
    spew("$keys/other.jwk", sprintf '{"kty":"EC","crv":"P-256","use":"sig",'
        . '"alg":"ES256","x":"%s","y":"%s"}', @$jwk{qw(x y)});
    reload();
    is status_of($token), 200, 'until it is put there';
    is scalar(my @kids = published()), 1, 'but it is not ours to publish';

    unlink "$keys/other.jwk";
    reload();
    is status_of($token), 401, 'and no longer than that';
};


# nginx -t on a copy of the configuration with other keys
my $case = "$azora->{dir}/case";

sub refused {
    my ($name, $pattern, $prepare, %change) = @_;

    system("rm -rf $case; cp -a $keys $case");
    $prepare->() if $prepare;

    my $text = slurp("$azora->{dir}/nginx.conf");
    # the keys of tokens only: the public log keeps its own
    $text =~ s{(azora_auth_(?!vault)\w+\s+)"\Q$keys\E}{$1"$case}g;
    $text =~ s/$change{cut}// if $change{cut};
    $text =~ s/^(\s*azora_auth_issuer)/$change{line}\n$1/m if $change{line};
    $text =~ s/^error_log.*$/error_log stderr notice;/m;
    spew("$azora->{dir}/case.conf", $text);

    local $ENV{ASAN_OPTIONS} = 'detect_odr_violation=0:detect_leaks=0';
    my $binary = $azora->nginx_binary;
    my $output = `$binary -t -e stderr -c $azora->{dir}/case.conf 2>&1`;
    my $status = $? >> 8;

    if (!defined $pattern) {
        is $status, 0, "$name: taken" or diag $output;
        return $output;
    }

    is $status, 1, "$name: refused" or diag $output;
    like $output, qr/\[emerg\].*$pattern/, "$name: with the reason";
    unlike $output, qr/BEGIN|MHc|MIG/, "$name: without a word of the key";
    return $output;
}


subtest 'what nginx -t says' => sub {
    my ($pem) = map { s{.*/}{}r } glob "$keys/*.pem";

    refused('as it is');
    refused('a key that others may read', qr/mode must be 0600 or 0400/,
            sub { chmod 0640, "$case/$pem" });
    refused('a pepper that others may read', qr/mode must be 0600 or 0400/,
            sub { chmod 0604, "$case/pepper" });
    refused('a directory that others may write', qr/others may put keys/,
            sub { chmod 0770, $case });
    refused('not a key', qr/\Q$pem\E" cannot be used/,
            sub { spew("$case/$pem", "hello\n") });
    refused('an RSA key', qr/rsa\.retired\.pem" cannot be used/,
            sub { new_key("$case/rsa.retired.pem", '-algorithm RSA') });
    refused('a P-384 key', qr/cannot be used.*P-256/, sub {
        new_key("$case/big.next.pem",
                '-algorithm EC -pkeyopt ec_paramgen_curve:P-384') });
    refused('an encrypted key', qr/without a passphrase/, sub {
        new_key("$case/locked.next.pem", '-algorithm EC -pkeyopt'
            . ' ec_paramgen_curve:P-256 -aes-256-cbc -pass pass:x') });
    refused('two active keys', qr/another key is active/,
            sub { new_key("$case/a-second.pem") });
    refused('the same key twice', qr/there twice/,
            sub { system("cp -p $case/$pem $case/same.next.pem") });
    refused('no active key', qr/no key in .* is active/,
            sub { rename "$case/$pem", "$case/x.retired.pem" });
    refused('a directory for a key', qr/is not a regular file/,
            sub { mkdir "$case/dir.pem" });
    refused('17 keys', qr/more than 16 keys/,
            sub { new_key("$case/$_.next.pem") for 10 .. 26 });
    refused('a private key in JWK form', qr/private\.jwk" cannot be used/, sub {
        my $jwk = Azora::Token::jwk("$case/$pem");
        spew("$case/private.jwk", sprintf '{"kty":"EC","crv":"P-256",'
             . '"x":"%s","y":"%s","d":"AA"}', @$jwk{qw(x y)}) });
    refused('a point off the curve', qr/off\.jwk" cannot be used/, sub {
        my $jwk = Azora::Token::jwk("$case/$pem");
        spew("$case/off.jwk", sprintf '{"kty":"EC","crv":"P-256",'
             . '"x":"%s","y":"%s"}', $jwk->{x}, $jwk->{x}) });
    refused('no pepper', qr/pepper" is missing or empty.*openssl rand -hex 32/,
            sub { unlink "$case/pepper" });
    refused('a short pepper', qr/not 64 hexadecimal digits/,
            sub { spew("$case/pepper", "0011\n"); chmod 0600, "$case/pepper" });
    refused('a list that is not there', qr/cannot open.*no-such-list/, undef,
            cut => qr/^\s*azora_auth_breached_list[^\n]*\n/m,
            line => 'azora_auth_breached_list no-such-list;');
    refused('an unknown mode', qr/invalid value "maybe"/, undef,
            line => 'azora_auth maybe;');
    refused('a lifetime of 2 days', qr/token_lifetime must be 1s to 1d/, undef,
            cut => qr/^\s*include[^\n]*http\.conf";\n/m,
            line => 'azora_auth_token_lifetime 2d;');
    refused('a tiny cache', qr/size that is too small/, undef,
            cut => qr/^\s*include[^\n]*http\.conf";\n/m,
            line => 'azora_auth_cache size=4k;');
    refused('an unknown pool', qr/unknown thread pool "nowhere"/, undef,
            cut => qr/^\s*include[^\n]*http\.conf";\n/m,
            line => 'azora_auth_thread_pool nowhere;');
    refused('a sender with a name', qr/azora_mail_from "Us .*one plain address/,
            undef, line => 'azora_mail_from "Us <us@example.org>";');
    refused('two gateways', qr/azora_sms "\{digits\}\@a,b\@c" must be an addr/,
            undef, line => 'azora_sms "{digits}@a,b@c";');
    refused('a queue of nothing', qr/a number that is not 1 to 65536/, undef,
            cut => qr/^\s*include[^\n]*http\.conf";\n/m,
            line => 'azora_auth_thread_pool azora_hash queue=0;');
};


subtest 'the first key' => sub {
    refused('an empty directory', undef, sub { unlink glob "$case/*.pem" });
    is scalar(() = glob "$case/*.pem"), 0, 'nginx -t makes no key';

    refused('no directory', undef, sub {
        rename "$case/pepper", "$azora->{dir}/case.pepper";
        system("rm -rf $case") },
        cut => qr/^\s*azora_auth_pepper[^\n]*\n/m);

    my $fresh = Azora::Test->start(workers => 2, edit => sub {
        s{(azora_auth_key_dir\s+)"(.*)keys"}{$1"$2fresh"};
    });
    my @made = glob "$fresh->{dir}/fresh/*";
    is @made, 1, 'a start makes one file';
    my $jwk = Azora::Token::jwk($made[0]);
    is $made[0], "$fresh->{dir}/fresh/$jwk->{kid}.pem", 'named by its kid';
    is sprintf('%04o', (stat $made[0])[2] & 07777), '0600', 'for its owner';
    is sprintf('%04o', (stat "$fresh->{dir}/fresh")[2] & 07777), '0700',
        'in a directory of its owner';
    is kid($fresh->user('kofi')->{token}), $jwk->{kid}, 'it signs';

    $fresh->reload;
    is_deeply [glob "$fresh->{dir}/fresh/*"], \@made, 'a reload makes none';
};


subtest 'a reload with a bad key' => sub {
    my $mark = $azora->mark;
    my ($pem) = glob "$keys/*.pem";

    chmod 0644, $pem;
    kill HUP => $azora->master_pid;
    ok $azora->wait_log(qr/mode must be 0600/, $mark), 'is refused';
    is status_of($azora->login('amina')), 200, 'and NGINX goes on as before';
    chmod 0600, $pem;
    $azora->{ignored} = $azora->mark;
};

done_testing;

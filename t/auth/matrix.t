#!/usr/bin/env perl

# Every row of the route table with every role and with nobody, compared with
# matrix.txt, where people wrote down who gets through; and every address that
# names a thing of somebody's, asked for by somebody else.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Process qw(poll_until slurp);
use Azora::Story qw(finish_course fund);
use Azora::Test;
use Azora::Token;
use Test::More;

my @roles = qw(learner teacher guardian employer arbiter auditor admin
               service);
my %role = map { $_ => 1 } @roles;

my $azora = Azora::Test->start(workers => 1);
my ($pem) = glob "$azora->{dir}/keys/*.pem";


# What people expect: operation => { who => [...], stranger }

my %expected;

for my $line (split /\n/, slurp("$FindBin::RealBin/matrix.txt")) {
    next if $line =~ /^\s*(?:#|\z)/;
    my ($name, $who, $stranger) = map { s/^\s+|\s+\z//gr }
                                  split /\|/, $line, -1;

    $stranger //= '';
    my @who = $who eq 'everybody' ? ('nobody', @roles)
            : $who eq 'members' ? @roles : split ' ', $who;
    my @odd = grep { $_ ne 'nobody' && !$role{$_} } @who;

    is "@odd", '', "the roles of $name exist" if @odd;
    fail "$name is in matrix.txt twice" if $expected{$name};
    like $stranger, qr/\A(?:|public|own|40[134])\z/, "$name: stranger"
        if $stranger !~ /\A(?:|public|own|40[134])\z/;
    $expected{$name} = { who => [sort @who], stranger => $stranger };
}


# What there is

my $paths = $azora->get('/openapi.json')->{json}{paths};
my @operations;

for my $path (sort keys %$paths) {
    push @operations, map { [uc, $path] }
        grep { /^(?:get|post|put|patch|delete)\z/ }
        sort keys %{ $paths->{$path} };
}

cmp_ok scalar @operations, '>', 30, 'the route table is there';

for (@operations) {
    my ($method, $path) = @$_;
    next if $expected{"$method $path"};
    fail "$method $path is not in t/auth/matrix.txt: add the line"
        . " '$method $path | who |" . ($path =~ /\{/ ? ' stranger' : '')
        . "', its head says what stands there";
}

my %there = map { ("@$_" => 1) } @operations;
fail "$_ is in t/auth/matrix.txt, but there is no such endpoint"
    for grep { !$there{$_} } sort keys %expected;


# Roles have the scopes to read and to write together, a key or a client may
# have one of them.
is_deeply [map { "@$_" } grep {
    my ($method, $path) = @$_;
    my $scope = $paths->{$path}{ lc $method }{'x-azora-scope'} // '';
    $scope =~ ($method eq 'GET' ? qr/:write\z/ : qr/:read\z/)
} @operations], [], 'who may read may not write by that, nor the other way';


is_deeply [map { "@$_" } grep {
    my ($method, $path) = @$_;
    $path =~ m{^/v1/admin/ledger/}
        && "@{ $paths->{$path}{ lc $method }{'x-azora-roles'} || [] }"
           ne 'admin'
} @operations], [], 'money is issued by role, and not by a scope alone';


# Tokens of accounts that do not exist: nothing happens to anybody.

my %token = (nobody => undef);

for my $role (@roles) {
    $token{$role} = Azora::Token::make($pem, claims => {
        sub => sprintf('019a9f00-0000-7000-8000-%012x', 1 + keys %token),
        roles => [$role],
        scope => $azora->value('SELECT identity.scopes(ARRAY[?])', $role),
    });
}


# The head of an answer is enough, some answers never end.
sub ask {
    my ($method, $path, %opts) = @_;
    my $http = $azora->connect;

    $opts{json} = {} if !exists $opts{json} && $method =~ /^(?:POST|P)/;
    $http->write(Azora::HTTP::format_request($method, $path, %opts));
    my $r = $http->read_response(head => 1);
    $r->{body} = $r->{status} >= 400 ? $http->_read_body($r, time + 10) : '';
    $http->close;
    return $r;
}


# Whether the row let the caller pass, whatever came of it then.
sub through {
    my ($r) = @_;
    return $r->{status} == 401
            ? $r->{body} !~ m{/problems/authentication-required"}
         : $r->{status} == 403
            ? $r->{body} !~ m{/problems/insufficient-scope"|of your roles may}
         : 1;
}


# A path in which every parameter has some value
sub filled {
    my ($path) = @_;
    my $nil = '019a9f00-0000-7000-8000-00000000ffff';

    return $path =~ s/\{(\w+)\}/
        $1 eq 'currency' ? 'AZR' : $1 eq 'number' ? 1
        : $1 =~ m{slug|provider|name} ? 'nothing' : $nil/gre;
}


my %table;

for my $operation (@operations) {
    my ($method, $path) = @$operation;
    my $line = $expected{"$method $path"} or next;
    my @passed;

    for my $who ('nobody', @roles) {
        my $r = ask($method, filled($path), token => $token{$who},
                    key => "matrix-$who");

        push @passed, $who if through($r);
        fail "$method $path as $who: a good token is refused"
            if $r->{body} =~ m{/problems/invalid-token"};
        fail "$method $path as $who: $r->{status}" if $r->{status} >= 500
            && $r->{status} != 503;
    }

    is join(' ', sort @passed), join(' ', @{ $line->{who} }),
       "$method $path lets through whom it should";
}


# Things of Amina's, and what else a request for them needs.  Bola has every
# scope but is a party of none of them.

my $amina = $azora->user('amina');
my $bola = $azora->user('bola', roles => ['learner', 'teacher', 'employer']);
my $cleo = $azora->user('cleo');
my @amina = (token => $amina->{token});
my %things;


sub make {
    my ($method, $path, $key, %opts) = @_;
    my $r = $azora->request($method, $path, @amina, key => $key, %opts);

    die "$method $path: $r->{status} $r->{body}\n" if $r->{status} >= 300;
    return $r->{json};
}


fund($azora, $amina, 'AZR', 5_00_000_000);

my $transfer = make('POST', '/v1/wallets/AZR/transfers', 't', json => {
    to => 'cleo@example.org', amount => '1' });
my $hold = make('POST', '/v1/holds', 'h', json => {
    to => 'cleo@example.org', currency => 'AZR', amount => '1' });
$azora->sql(q{INSERT INTO ledger.rate
    VALUES ('AZR', 'KES', 1, 0, now() + interval '1 hour')});
my $quote = make('POST', '/v1/fx/quotes', 'f', json => {
    sell => 'AZR', buy => 'KES', amount => '1' });
my $job = make('POST', '/v1/jobs', 'j', json => {
    title => 'Paint', description => 'A wall', currency => 'AZR',
    budget => '2' });
my $contract = make('POST', '/v1/contracts', 'c', json => {
    freelancer => 'cleo@example.org', title => 'Paint', currency => 'AZR',
    milestones => [{ title => 'Wall', amount => '1' }] });
my $course = finish_course($azora, $amina, 'mobile-money-safety');
my $attempt = make('POST', "/v1/quizzes/$course->{quiz}{id}/attempts", 'q');

my $entry;
poll_until(10, sub {
    my ($item) =
        @{ $azora->get('/v1/me/activity', @amina)->{json}{items} };
    $entry = $item && $item->{id};
});

$things{'/v1/transfers/{id}'} = [$transfer->{id}];
$things{'/v1/fx/quotes/{id}'} = [$quote->{id}];
$things{'/v1/holds/{id}'} = [$hold->{id}];
$things{'/v1/auth/sessions/{id}'} = [
    $azora->get('/v1/auth/sessions', @amina)->{json}{items}[0]{id}];
$things{'/v1/admin/users/{id}'} = [$amina->{id}];
$things{'/v1/admin/keys/{id}'} = [$amina->{id}];
$things{'/v1/jobs/{id}'} = [$job->{id}];
$things{'/v1/contracts/{id}'} = [$contract->{id}];
$things{'/v1/milestones/{id}'} = [$contract->{milestones}[0]{id},
                                  { '/changes' => { note => 'x' } }];
$things{'/v1/attempts/{id}'} = [$attempt->{id},
                                { '/submission' => { answers => {} } }];
$things{'/v1/me/receipts/{entry}'} = [$entry];

$things{'/v1/webhooks/{id}'} = [
    make('POST', '/v1/webhooks', 'w', json => {
        url => 'https://example.org/hook' })->{id}];

$azora->sql("INSERT INTO identity.external_login (issuer, subject, account)
             VALUES ('https://idp.example', 'amina', ?)", $amina->{id});
$things{'/v1/me/logins/{id}'} = [
    $azora->get('/v1/me/logins', @amina)->{json}{items}[0]{id}];


for my $operation (@operations) {
    my ($method, $path) = @$operation;
    my $line = $expected{"$method $path"} or next;

    if ($path =~ /\{/) {
        isnt $line->{stranger}, '', "$method $path says what a stranger gets";
    }

    next if $line->{stranger} !~ /^\d/;

    # the longest template that begins this one
    my ($template) = sort { length $b <=> length $a }
        grep { index($path, $_) == 0 } keys %things;

    if (!$template) {
        fail "$method $path names a thing of a person's: give one of Amina's"
            . " to \$things{'...'} in t/auth/matrix.t";
        next;
    }

    my ($id, $bodies) = @{ $things{$template} };
    my $rest = substr $path, length $template;
    my $url = ($template =~ s/\{\w+\}\z/$id/r) . filled($rest);
    my %body = $method =~ /^P/
        ? (json => ($bodies || {})->{$rest} || {}) : ();
    my $r = ask($method, $url, token => $bola->{token}, key => "b$url", %body);

    is $r->{status}, $line->{stranger},
       "$method $path of Amina's is not Bola's" or diag $r->{body};
    unlike $r->{body}, qr/amina|Paint/, '... and nothing of it is told';
}

is $azora->get("/v1/transfers/$transfer->{id}", @amina)->{status}, 200,
   'her things are there';
is $azora->get("/v1/contracts/$contract->{id}", @amina)->{status}, 200,
   'all the time';
is scalar @{ $azora->get('/v1/me/logins', @amina)->{json}{items} }, 1,
   'to the end';

done_testing;

#!/usr/bin/env perl

# What the constitution forbids is refused with the article it rests on, and
# kept; what it flags is kept and goes on; the rest it does not touch.

use strict;
use warnings;
use utf8;

use Digest::SHA qw(sha256_hex);
use FindBin;
use JSON::PP ();
use lib "$FindBin::RealBin/../lib";

use Azora::Process qw(poll_until);
use Azora::Story qw(documented is_problem journaled);
use Azora::Test;
use Test::More;

binmode $_, ':utf8' for Test::More->builder->output,
                        Test::More->builder->failure_output;

my $azora = Azora::Test->start(workers => 2);
my $erica = $azora->user('erica');
my $r;

my %good = (title => 'Typing work', currency => 'AZR', budget => '20',
            description => 'Type fifty pages by Friday.');

sub offer {
    my ($description, %more) = @_;
    return $azora->post('/v1/jobs', token => $erica->{token},
                        json => { %good, description => $description, %more });
}

sub jobs { return $azora->value('SELECT count(*) FROM market.job') }

sub metric {
    my ($series) = @_;
    my ($n) = $azora->get('/metrics')->{body} =~ /^\Q$series\E ([0-9]+)$/m;
    return $n;
}


subtest 'anybody reads the constitution' => sub {
    $r = $azora->get('/v1/constitution');
    is $r->{status}, 200, 'without a token';
    documented($azora, $r, 'GET /v1/constitution');
    ok scalar @{ $r->{json}{rules} }, 'it has rules';

    my $etag = $r->{headers}{etag};
    is $azora->get('/v1/constitution',
                   headers => { 'If-None-Match' => $etag })->{status}, 304,
       'and a version';

    # a rule for a route that does not exist would never be asked
    my $paths = $azora->get('/openapi.json')->{json}{paths};
    for my $rule (@{ $r->{json}{rules} }) {
        for my $route (@{ $rule->{routes} }) {
            my ($method, $path) = split / /, $route;
            ok $paths->{$path}{ lc $method }, "$rule->{id}: $route exists";
        }
    }
};


subtest 'a deposit from applicants is refused' => sub {
    $r = offer('Applicants must pay a refundable deposit of 20 AZR first.');
    is_problem($r, 403, 'constitution-denied', '/description');

    my $rule = $azora->value(
        q{SELECT court.roman(article) FROM court.rule
          WHERE id = 'applicant-fees'});
    is $r->{json}{article}, $rule, 'with the article';
    is_deeply $r->{json}{articles}, [$rule], 'all articles';
    is $r->{json}{constitution},
       $azora->get('/v1/constitution')->{json}{hash}, 'the text in force';
    is jobs(), 0, 'no job was made';

    my ($row) = $azora->sql('SELECT subject, route, request_id, effect,
                                    rules, constitution, excerpt
                             FROM court.decision WHERE id = ?',
                            $r->{json}{decision});
    ok $row, 'the decision is kept';
    is $row->{subject}, $erica->{id}, 'who asked';
    is $row->{route}, 'POST /v1/jobs', 'for what';
    is $row->{request_id}, $r->{json}{request_id}, 'in which request';
    is $row->{effect}, 'deny', 'what was decided';
    is $row->{rules}, '["applicant-fees"]', 'by which rules';
    is $row->{constitution}, $r->{json}{constitution}, 'of which text';
    is journaled($azora, 'constitution.decided'), 1, 'and journaled';
};


subtest 'what is kept is little, and can be proved' => sub {
    my $secret = 'Applicants pay a registration fee to +254 700 123 456.';
    $r = offer($secret);
    is $r->{status}, 403, 'refused';

    my $kept = JSON::PP->new->utf8->decode($azora->value(
        'SELECT excerpt FROM court.decision WHERE id = ?',
        $r->{json}{decision}));

    is_deeply $kept->{matches}, [{
        rule => 'applicant-fees', pointer => '/description',
        excerpt => 'Applicants pay a registration fee to +##',
    }], 'forty characters, without digits';

    my $body = JSON::PP->new->utf8->canonical->encode(
        { %good, description => $secret });
    is $kept->{body_sha256}, sha256_hex(pack('H*', $kept->{salt}) . $body),
       'the person can prove what the body was';

    my $other = JSON::PP->new->decode($azora->value(
        'SELECT excerpt FROM court.decision WHERE id = ?',
        offer($secret)->{json}{decision}));
    isnt $other->{body_sha256}, $kept->{body_sha256},
         'and nobody can see that two bodies were the same';
};


subtest 'every field that a rule reads, in every list' => sub {
    is_problem(offer('Plain.', title => 'Send us your mobile money PIN'),
               403, 'constitution-denied', '/title');

    $r = offer('We keep your passport until the end.',
               title => 'Pay 50 USD to apply');
    is_problem($r, 403, 'constitution-denied', '/title', '/description');
    is scalar @{ $r->{json}{articles} }, 2, 'two articles';

    is_problem($azora->post('/v1/contracts', token => $erica->{token}, json => {
        freelancer => 'x@example.org', currency => 'AZR',
        title => 'A forged university diploma',
        milestones => [{ title => 'All', amount => '1' }] }),
        403, 'constitution-denied', '/title');
};


subtest 'disguises' => sub {
    my @disguised = (
        "Applicants must pay a refundable dep\x{200B}o\x{00AD}sit of 20 USD.",
        "Applicants must pay a refundable d\x{0435}p\x{043E}sit of 20 USD.",
        "Applicants must pay a refundable \x{FF44}\x{FF45}posit of 20 USD.",
        "Applicants must pay a\nrefundable\n\ndeposit of 20 USD.",
        "Applicants\x{A0}must\x{2003}pay a refundable \x{1D41D}eposit.",
        "Applicants must pay a refundable de\x{0301}posit.",
        "- No experience needed\n- Applicants pay a registration fee",
    );

    for my $text (@disguised) {
        is offer($text)->{status}, 403, $text =~ s/\n/ | /gr;
    }
};


subtest 'plain work passes' => sub {
    my $before = $azora->value('SELECT count(*) FROM court.decision');
    my @plain = (
        'Type fifty pages by Friday.',
        'We never ask applicants to pay a deposit.',
        'You will record deposits and fees in our books.',
        'Build a page where tenants see the deposit they paid.',
        'Écrire un article sur le dépôt de brevets à Abidjan.',
        'Ko je nipa owo ifowopamọ ati ọjà ní Èkó.',
        "\x{0645}\x{0637}\x{0644}\x{0648}\x{0628} \x{0645}\x{062A}\x{0631}",
    );

    for my $text (@plain) {
        $r = offer($text);
        is $r->{status}, 201, $text;
        is $r->{json}{description}, $text, 'and is stored as written';
    }

    is $azora->value('SELECT count(*) FROM court.decision'), $before,
       'without a decision';
};


subtest 'a flag is kept, and the work goes on' => sub {
    my $before = jobs();
    $r = offer('Payment outside the platform, we save the fee.');
    is $r->{status}, 201, 'made';
    is jobs(), $before + 1, 'it is there';

    my @kept = $azora->sql(q{SELECT rules FROM court.decision
                             WHERE effect = 'flag'});
    is_deeply \@kept, [{ rules => '["paid-outside"]' }], 'and so is the flag';

    # deny overrides flag, and the flag is named beside it
    $r = offer('Payment outside the platform. '
               . 'Applicants must pay a registration fee.');
    is_problem($r, 403, 'constitution-denied', '/description');
    is $azora->value('SELECT rules FROM court.decision WHERE id = ?',
                     $r->{json}{decision}),
       '["applicant-fees", "paid-outside"]', 'both rules are kept';

    # there is no queue for reviews yet: such a rule flags
    is offer('Children can earn here after school.')->{status}, 201,
       'a review flags for now';
    is $azora->value(q{SELECT count(*) FROM court.decision
                       WHERE effect = 'flag'
                         AND rules = '["work-for-children"]'}),
       1, 'and is kept';
};


subtest 'the constitution comes after the other questions' => sub {
    my $before = $azora->value('SELECT count(*) FROM court.decision');
    my %bad = (%good, description => 'Applicants must pay a training fee.');

    is $azora->post('/v1/jobs', json => \%bad)->{status}, 401,
       'who is it comes first';
    is $azora->post('/v1/jobs', token => $erica->{token},
                    json => { %bad, budget => -1 })->{status}, 422,
       'then whether it is well formed';
    is $azora->value('SELECT count(*) FROM court.decision'), $before,
       'nothing was decided';

    # a refusal leaves the key to be used for a better text
    my @key = (key => 'second-thoughts', token => $erica->{token});
    is $azora->post('/v1/jobs', @key, json => \%bad)->{status}, 403, 'denied';
    is $azora->post('/v1/jobs', @key, json => \%good)->{status}, 201,
       'the better text is taken';
};


subtest 'it is counted' => sub {
    my %n = map { $_->{effect} => $_->{n} } $azora->sql(
        'SELECT effect, count(*) AS n FROM court.decision GROUP BY effect');

    for my $effect (qw(deny flag)) {
        is metric(qq{azora_constitution_decisions_total{effect="$effect"}}),
           $n{$effect}, $effect;
    }

    ok metric('azora_constitution_decisions_total{effect="allow"}'), 'allow';
};

done_testing;

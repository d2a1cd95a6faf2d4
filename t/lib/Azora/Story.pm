package Azora::Story;

# What the stories of the capabilities share: money to begin with, a course to
# finish, answers that keep to the document, requests at the same moment.
#
#     use Azora::Story qw(fund balance is_sound documented at_once);

use strict;
use warnings;

use Exporter qw(import);
use Test::More ();

use Azora::HTTP;
use Azora::Process qw(poll_until);

our @EXPORT_OK = qw(at_once balance documented finish_course fund is_problem
                    is_sound journaled next_day right_answers);

my %Documents;


# Minor units out of the currency's issuance, as a mint would do it.
sub fund {
    my ($azora, $person, $currency, $minor) = @_;

    $azora->sql(q{SELECT ledger.post(ARRAY[ledger.movement(
                      ledger.house('issuance', $2), ledger.wallet($1, $2),
                      $3, $2, 'issue', gen_random_uuid())])},
                $person->{id}, $currency, $minor);
}


# Minor units that somebody's wallet holds.
sub balance {
    my ($azora, $person, $currency) = @_;

    return $azora->value(q{SELECT coalesce(sum(balance), 0)
                           FROM ledger.account
                           WHERE kind = 'wallet' AND owner = ?
                             AND currency = ?}, $person->{id}, $currency);
}


# Every invariant of the books holds.
sub is_sound {
    my ($azora, $name) = @_;
    my @broken = $azora->sql('SELECT invariant, account FROM ledger.verify()');

    Test::More::is(scalar @broken, 0, $name || 'the books are sound')
        or Test::More::diag(Test::More::explain(\@broken));
}


sub journaled {
    my ($azora, $type) = @_;
    return $azora->value('SELECT count(*) FROM journal.entry WHERE type = ?',
                         $type);
}


# As if all that the ledger did so far had been a day before.
sub next_day {
    my ($azora) = @_;

    $azora->sql($_) for
        'ALTER TABLE ledger.transfer DISABLE TRIGGER USER',
        q{UPDATE ledger.transfer
          SET created_at = created_at - interval '1 day'},
        'ALTER TABLE ledger.transfer ENABLE TRIGGER USER',
        q{UPDATE ledger.hold SET created_at = created_at - interval '1 day'},
        'UPDATE ledger.spending SET day = day - 1';
}


# The answer is this problem, and names these fields.
sub is_problem {
    my ($r, $status, $problem, @pointers) = @_;
    my $json = $r->{json} || {};

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::More::is_deeply(
        [$r->{status}, $r->{headers}{'content-type'}, $json->{type},
         map { $_->{pointer} } @{ $json->{errors} || [] }],
        [$status, 'application/problem+json', "/problems/$problem",
         @pointers], "$status $problem")
        or Test::More::diag($r->{body});
}


# Sends all requests before it reads the first answer.  Each is
# [method, path, options]; returns the answers in their order.
sub at_once {
    my ($azora, @requests) = @_;
    my @connections = map { $azora->connect } @requests;

    for my $i (0 .. $#requests) {
        my ($method, $path, %opts) = @{ $requests[$i] };
        $connections[$i]->write(
            Azora::HTTP::format_request($method, $path, %opts));
    }

    return map { $_->read_response } @connections;
}


# Enrols and finishes every lesson; returns the course as it is shown.
sub finish_course {
    my ($azora, $person, $slug) = @_;
    my $course = $azora->get("/v1/courses/$slug")->{json};

    $azora->post("/v1/courses/$slug/enrolment", token => $person->{token});

    for my $lesson (@{ $course->{lessons} }) {
        my $r = $azora->put(
            "/v1/courses/$slug/lessons/$lesson->{number}/progress",
            token => $person->{token}, json => { done => \1 });
        die "progress: $r->{status} $r->{body}\n" if $r->{status} != 200;
    }

    return $course;
}


# The answers that the key asks for, read where only the superuser can.
sub right_answers {
    my ($azora, $attempt) = @_;
    my %answers;

    for my $question (@{ $attempt->{questions} }) {
        my $key = $Azora::HTTP::JSON->decode($azora->value(
            'SELECT answer FROM learning.question WHERE id = ?',
            $question->{id}));

        $answers{ $question->{id} } = exists $key->{option} ? $key->{option}
            : exists $key->{options} ? $key->{options}
            : exists $key->{accept} ? $key->{accept}[0]
            : $key->{value};
    }

    return \%answers;
}


# The answer holds what /openapi.json says of it, and nothing else.  route is
# "GET /v1/courses".
sub documented {
    my ($azora, $r, $route) = @_;
    my $document = $Documents{ $azora->{port} }
        ||= $azora->get('/openapi.json')->{json};

    my ($method, $path) = split / /, $route;
    my $operation = $document->{paths}{$path}{ lc $method };
    my $answer = $operation->{responses}{ $r->{status} };
    my $schema = $answer->{content}{'application/json'}{schema};
    my @wrong = $schema
        ? _check($document, $schema, $r->{json}, '')
        : ("$r->{status} is not documented");

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::More::is(join("\n", @wrong), '', "$route answers as documented");
}


sub _check {
    my ($document, $schema, $value, $where) = @_;

    if (my $name = $schema->{'$ref'}) {
        my $found = $document;
        $found = $found->{$_} for split m{/}, $name =~ s{^#/}{}r;
        return _check($document, $found, $value, $where);
    }

    # what may be anything says no more than what it means
    return if !grep { $_ ne 'description' } keys %$schema;

    my $type = $schema->{type};
    my @types = ref $type ? @$type : $type;

    return if !defined $value && grep { $_ eq 'null' } @types;
    my ($wanted) = grep { $_ ne 'null' } @types;
    my $got = !defined $value ? 'null' : ref $value eq 'HASH' ? 'object'
        : ref $value eq 'ARRAY' ? 'array'
        : ref $value ? 'boolean'
        : $Azora::HTTP::JSON->encode($value) =~ /^"/ ? 'string'
        : $value =~ /^-?\d+\z/ ? 'integer' : 'number';

    return "$where is $got, not $wanted" if $got ne $wanted;

    if ($schema->{enum} && !grep { $_ eq $value } @{ $schema->{enum} }) {
        return "$where is $value, which is not listed";
    }

    if ($wanted eq 'array') {
        return map { _check($document, $schema->{items}, $value->[$_],
                            "$where/$_") } 0 .. $#$value;
    }

    return if $wanted ne 'object' || !$schema->{properties};

    my @wrong = map { "$where/$_ is missing" }
                grep { !exists $value->{$_} } @{ $schema->{required} || [] };

    for my $name (sort keys %$value) {
        my $property = $schema->{properties}{$name};
        push @wrong, $property
            ? _check($document, $property, $value->{$name}, "$where/$name")
            : "$where/$name is not documented";
    }

    return @wrong;
}


1;

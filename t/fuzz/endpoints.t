# Every endpoint of /openapi.json with values that fit its schema, and values
# that nearly do: what validation lets through must never make SQL fail.
# AZORA_FUZZ_SEED=n repeats the choices, AZORA_FUZZ_SECONDS bounds them.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use Azora::Story qw(finish_course fund is_sound);
use Azora::Test;

my $seed = $ENV{AZORA_FUZZ_SEED} || time % 1_000_000 | 0;
my $seconds = $ENV{AZORA_FUZZ_SECONDS} || 8;

srand $seed;
diag "AZORA_FUZZ_SEED=$seed";

my $azora = Azora::Test->start;
my $newcomers = 0;
my @everything = qw(learner teacher guardian employer arbiter auditor admin);
my @people = (
    (map { $azora->user($_) } qw(amina kofi)),
    $azora->user('esi', roles => \@everything), {},
);

# so that transfers, escrow and quizzes get beyond their first refusal
for my $person (@people[0 .. 2]) {
    fund($azora, $person, $_, 10_000_000_000) for qw(AZR BTC);
}

my $document = $azora->get('/openapi.json')->{json};

# what earlier answers held, by kind, so that later requests find something
my %known = (
    uuid => [map { $_->{id} } grep { $_->{id} } @people],
    slug => ['mobile-money-safety'], currency => ['AZR'], cursor => ['x'],
    address => [map { $_->{email} } grep { $_->{email} } @people],
);

my @strange = (
    '', ' ', '0', '-1', "\x{0}", "a\x{0}b", "\x{1f600}", "\x{feff}", "\x{202e}",
    "e\x{301}", "'", "''; --", '"', '\\', "\\'", '$1', '$$', '%', '%s', '{}',
    '{NULL}', '{"a","b"}', '(,)', 'NULL', 'null', 'true', 'NaN', 'Infinity',
    '1e3', '0x10', "1\n2", '../x', '<b>', 'x' x 300, "\x{10ffff}" x 70,
    '00000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
    '9223372036854775807', '-9223372036854775808', '92233720368547758.07',
    '0.000000000000000001', '999999999999999.999999999999999999', 'AAA', 'BTC',
);


sub one_of { return $_[rand @_] }

sub chance { return rand() < $_[0] }


sub text {
    my ($schema) = @_;
    my $min = $schema->{minLength} || 0;
    my $max = $schema->{maxLength} // 100;
    my $length = chance(0.1) ? $max : $min + int rand(1 + ($max > $min + 20
        ? 20 : $max - $min));

    $length = 2000 if $length > 2000;
    return join '', map { one_of('a' .. 'z', 'A' .. 'Z', 0 .. 9, ' ', "\n",
        "'", '"', '\\', '%', '{', '}', ',', '(', "\x{e9}", "\x{1f600}") }
        1 .. $length;
}


# A value that the schema allows; name tells what kind of thing it is.
sub fitting {
    my ($schema, $name) = @_;
    my $type = $schema->{type} || 'string';

    return one_of(@{ $schema->{enum} }) if $schema->{enum};
    return one_of(JSON::PP::true, JSON::PP::false) if $type eq 'boolean';

    if ($type eq 'integer') {
        my ($min, $max) = ($schema->{minimum} // -5, $schema->{maximum} // 5);
        return one_of($min, $max, $min + int rand(1 + ($max - $min > 20
            ? 20 : $max - $min))) + 0;
    }

    if ($type eq 'array') {
        my $n = one_of($schema->{minItems} || 0, 1, 2);
        return [map { fitting($schema->{items}, $name) } 1 .. $n];
    }

    if ($type eq 'object') {
        return { map { one_of(@{ $known{uuid} }) => one_of(1, 'a', ['a', 2.5],
            JSON::PP::true, undef, {}, one_of(@{ $known{uuid} })) }
            1 .. rand 4 } if !$schema->{properties};
        return object($schema);
    }

    my $pattern = $schema->{pattern} || '';
    return one_of(@{ $known{uuid} }) if ($schema->{format} || '') eq 'uuid';
    return one_of('2026-11-20T06:00:00Z', '9999-12-31T23:59:59.999999999Z',
                  '0001-01-01T00:00:00+15:59')
        if ($schema->{format} || '') eq 'date-time';
    return one_of('1', '0.01', '12.5', '0.000000000000000001', '92233720369',
                  '999999999999999.999999999999999999', '0.00000001', '007')
        if $pattern =~ /\\\./;
    return one_of(@{ $known{currency} }, 'BTC', 'ETH', 'USD', 'XYZ')
        if $name eq 'currency';
    return one_of(@{ $known{slug} }, 'no-such') if $name eq 'slug';
    return one_of(@{ $known{cursor} }, 'eyJ4IjoxfQ', text($schema))
        if $name eq 'cursor';
    return 'who' . int(rand 1e9) . '@example.org' if $name eq 'email';
    return one_of((@{ $known{address} }) x 3, '@amina',
                  one_of(@{ $known{uuid} }), 'nobody@example.org')
        if $name eq 'to' || $name eq 'freelancer';
    return text($schema);
}


sub object {
    my ($schema) = @_;
    my %required = map { $_ => 1 } @{ $schema->{required} || [] };
    my %object;

    for my $name (sort keys %{ $schema->{properties} }) {
        next if !$required{$name} && chance(0.4) || chance(0.02);
        $object{$name} = chance(0.06) ? one_of(@strange, undef, [], {}, 1.5)
            : fitting($schema->{properties}{$name}, $name);
    }

    return \%object;
}


sub encode {
    my ($text) = @_;
    utf8::encode($text);
    return $text =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ger;
}


sub parameter {
    my ($parameter) = @_;
    my $value = chance(0.06) ? one_of(@strange)
        : fitting($parameter->{schema}, $parameter->{name});
    return encode($value);
}


sub know {
    my ($kind, $value) = @_;
    my $list = $known{$kind} ||= [];

    push @$list, $value;
    splice @$list, rand 10, 1 if @$list > 40;
    return;
}


# Remembers what an answer holds; kind is the collection it is of.
sub learn {
    my ($value, $kind) = @_;

    if (ref $value eq 'ARRAY') {
        learn($_, $kind) for @$value;
        return;
    }

    for my $name (ref $value eq 'HASH' ? sort keys %$value : ()) {
        my $member = $value->{$name};

        if (ref $member) {
            learn($member, $name eq 'items' ? $kind
                : $name eq 'quiz' ? 'quizzes' : $name);
        } elsif (defined $member && $member =~ /\A[0-9a-f]{8}-[0-9a-f-]{27}\z/)
        {
            know('uuid', $member);
            know($kind, $member) if $name eq 'id';
        } elsif (defined $member && ($name eq 'slug' || $name eq 'next')) {
            know($name eq 'next' ? 'cursor' : 'slug', $member);
        }
    }

    return;
}


my @operations;

for my $path (sort keys %{ $document->{paths} }) {
    for my $method (sort keys %{ $document->{paths}{$path} }) {
        my $operation = $document->{paths}{$path}{$method};
        next if ref $operation ne 'HASH' || !$operation->{responses};
        # a stream is no answer that could be waited for
        next if $operation->{responses}{200}
            && $operation->{responses}{200}{content}{'text/event-stream'};

        push @operations, [uc $method, $path, $operation];
    }
}

cmp_ok scalar @operations, '>', 20, 'the document has endpoints';


sub run_one {
    my ($method, $template, $operation) = @_;
    my ($path, @query, %options) = ($template);

    for my $parameter (@{ $operation->{parameters} || [] }) {
        my $in = $parameter->{in} || '';

        if ($in eq 'path') {
            my ($kind) = $template =~ m{([a-z]+)/\{\Q$parameter->{name}\E\}};
            my $value = $known{$kind || ''} && chance(0.85)
                ? one_of(@{ $known{$kind} }) : parameter($parameter);
            $path =~ s/\{\Q$parameter->{name}\E\}/$value/;
        } elsif ($in eq 'query' && chance(0.5)) {
            push @query, "$parameter->{name}=" . parameter($parameter);
        }
    }

    my $body = $operation->{requestBody}{content};
    my ($type) = $body ? sort keys %$body : ();
    my $place = one_of(0 .. 2, 0 .. $#people);
    my $who = $people[$place];

    $options{json} = object($body->{$type}{schema}) if $body;
    $options{token} = $who->{token} if $who->{token};
    $options{key} = 'key-' . int rand 500 if $method ne 'GET' && chance(0.8);

    $path .= '?' . join '&', @query if @query;
    my $r = $azora->request($method, $path, %options);
    my $shown = "$method $path "
        . ($options{json} ? $Azora::HTTP::JSON->encode($options{json}) : '');

    my ($kind) = $template =~ m{([a-z]+)(?:/\{[a-z]+\})?\z};
    learn($r->{json}, $kind) if $r->{status} < 300 && $r->{json};
    $people[$place] = somebody_else() if $r->{status} == 401 && $who->{token};
    return ($r, $shown);
}


# In the place of who logged out, changed the password or is forgotten.
sub somebody_else {
    my $person = $azora->user('person-' . ++$newcomers,
                              $newcomers % 3 ? () : (roles => \@everything));

    fund($azora, $person, $_, 10_000_000_000) for qw(AZR BTC);
    return $person;
}


# What no answer may be; nothing when all is well.
sub wrong_with {
    my ($r) = @_;

    return "status $r->{status}" if $r->{status} >= 500;
    return 'the inside shows'
        if $r->{status} >= 400
           && $r->{body} =~ /SQLSTATE|PL\/pgSQL|relation "|syntax|column "/;
    return 'no problem' if $r->{status} >= 400
        && $r->{headers}{'content-type'} ne 'application/problem+json';
    return;
}


finish_course($azora, $people[0], 'mobile-money-safety');

my (%statuses, %reached, %broken);
my $count = 0;
my $end = time + $seconds;

while (time < $end) {
    my $what = $operations[$count++ % @operations];
    my ($r, $shown) = run_one(@$what);
    my $label = "$what->[0] $what->[1]";
    my $wrong = wrong_with($r);

    $statuses{$r->{status}}++;
    $reached{$label}++ if $r->{status} < 300;
    $broken{$label} ||= "$wrong: $shown\n$r->{body}" if $wrong;
}

diag "$count requests: ", join ', ',
    map { "$_ x $statuses{$_}" } sort keys %statuses;
diag 'reached: ', join ', ', sort keys %reached;

for my $label (map { "$_->[0] $_->[1]" } @operations) {
    ok !$broken{$label}, $label or diag $broken{$label};
}

is_deeply [grep { /\[(?:error|crit)\]/ } split /\n/, $azora->error_log], [],
    'nothing failed behind the answers';
is_sound($azora, 'the books are sound');
cmp_ok $statuses{200} || 0, '>', $count / 100, 'some were right';
cmp_ok $statuses{422} || 0, '>', $count / 100, 'some were wrong';

done_testing;

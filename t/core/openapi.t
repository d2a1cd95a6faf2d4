# The OpenAPI document and the page: valid to independent linters, and true:
# what they say is compared with what the server does.

use strict;
use warnings;

use Digest::SHA qw(sha256_base64);
use Test::More;

use Azora::HTTP;
use Azora::Process qw(spew);
use Azora::Story qw(finish_course);
use Azora::Test;

my $azora = Azora::Test->start;
my $answer = $azora->get('/openapi.json');
my $document = $answer->{json};


# Every operation as {method, path, url, operation}; the url has the path's
# parameters filled in with values of the right form.
sub operations {
    my @list;

    for my $path (sort keys %{ $document->{paths} }) {
        for my $method (sort keys %{ $document->{paths}{$path} }) {
            my $operation = $document->{paths}{$path}{$method};
            my $url = $path;

            for my $p (@{ $operation->{parameters} || [] }) {
                next if !$p->{in} || $p->{in} ne 'path';
                my $example = $p->{schema}{examples}
                    ? $p->{schema}{examples}[0] : 1;
                $url =~ s/\{\Q$p->{name}\E\}/$example/;
            }

            push @list, { method => uc $method, path => $path, url => $url,
                          operation => $operation };
        }
    }
    return @list;
}


sub schema_of_body {
    my ($operation) = @_;
    my ($content) = values %{ $operation->{requestBody}{content} || {} };
    return $content->{schema};
}


subtest 'the document is served' => sub {
    is $answer->{status}, 200, 'it is there';
    is $answer->{headers}{'content-type'}, 'application/json', 'as JSON';
    is $document->{openapi}, '3.1.0', 'OpenAPI 3.1';

    my $etag = $answer->{headers}{etag};
    like $etag, qr/\A"[0-9a-f]{16}"\z/, 'with an entity tag';

    my $again = $azora->get('/openapi.json',
                            headers => { 'If-None-Match' => $etag });
    is $again->{status}, 304, 'which saves sending it again';
    is $again->{body}, '', 'without a body';

    $azora->reload;
    is $azora->get('/openapi.json')->{headers}{etag}, $etag,
        'the same rows have the same tag';
};

subtest 'linters find nothing' => sub {
    my $tools = `$Azora::Test::ROOT/t/npm/install`;
    plan skip_all => 'npm or its registry is missing' if $? >> 8 == 3;
    chomp $tools;
    is $?, 0, 'they are installed' or return;

    my $dir = $azora->{dir};
    spew("$dir/openapi.json", $answer->{body});
    spew("$dir/spectral.yaml", qq{extends: ["spectral:oas"]\n});
    local $ENV{REDOCLY_TELEMETRY} = 'off';
    local $ENV{CI} = 1;

    # a way to a provider answers 303 only; ours below is the rule for all
    my $said = `cd $dir && $tools/node_modules/.bin/redocly lint \\
                --skip-rule=operation-2xx-response \\
                --extends=recommended --format=json openapi.json 2>/dev/null`;
    is $?, 0, 'redocly is content';
    my ($json) = $said =~ /(\{.*\})/s;
    my $totals = eval { $Azora::HTTP::JSON->decode($json)->{totals} } || {};
    is_deeply [@$totals{qw(errors warnings)}], [0, 0],
        'no error and no warning of its recommended rules' or diag($said);

    $said = `cd $dir && $tools/node_modules/.bin/spectral lint \\
             -r spectral.yaml -F hint --format json openapi.json 2>/dev/null`;
    is $?, 0, 'spectral is content';
    my ($found) = $said =~ /(\[.*\])/s;
    is_deeply eval { $Azora::HTTP::JSON->decode($found) }, [],
        'not even a hint of its rules' or diag($said);
};

subtest 'operations have names of their own' => sub {
    my %ids;
    $ids{ $_->{operation}{operationId} }++ for operations();

    cmp_ok scalar keys %ids, '>', 20, 'there are many';
    is_deeply [grep { $ids{$_} > 1 } keys %ids], [], 'each once';
};

subtest 'every operation exists, guarded as it says' => sub {
    for my $o (operations()) {
        my $name = "$o->{method} $o->{path}";
        my %request = $o->{method} eq 'GET' ? () : (json => {});
        my $r = $azora->request($o->{method}, $o->{url}, %request);

        if (@{ $o->{operation}{security} }) {
            is $r->{status}, 401, "$name asks for a token";

        } else {
            ok $r->{status} != 401 && $r->{status} != 403
                && $r->{status} != 405, "$name does not"
                or diag($r->{status}, $r->{body});
        }

        my $documented = $o->{operation}{responses}{ $r->{status} };
        ok $documented, "$name: status $r->{status} is documented";
    }
};

subtest 'what it calls required is' => sub {
    my $person = $azora->user('amina', roles => [qw(learner teacher guardian
        employer arbiter auditor admin service)]);

    for my $o (operations()) {
        my $schema = schema_of_body($o->{operation}) or next;
        my @required = @{ $schema->{required} || [] } or next;
        my $name = "$o->{method} $o->{path}";

        my $r = $azora->request($o->{method}, $o->{url}, json => {},
                                token => $person->{token},
                                key => "openapi-$name" =~ tr{ /{}}{-}r);
        is $r->{status}, 422, "$name refuses {}" or diag($r->{body});
        is_deeply [sort map { $_->{pointer} } @{ $r->{json}{errors} || [] }],
            [sort map { "/$_" } @required], "$name names the required fields";

        $r = $azora->request($o->{method}, $o->{url},
                             json => { map({ $_ => undef } @required),
                                       no_such_field => 1 },
                             token => $person->{token}, key => 'another');
        ok scalar(grep { $_->{pointer} eq '/no_such_field' }
                  @{ $r->{json}{errors} || [] }),
            "$name takes no others" or diag($r->{body});
    }
};

subtest 'answers have the documented shape' => sub {
    my $person = $azora->user('binta');
    my %urls = ('/v1/courses' => undef, '/v1/me' => undef,
                '/v1/wallets/{currency}' => '/v1/wallets/AZR',
                '/v1/wallets/{currency}/statement'
                    => '/v1/wallets/AZR/statement',
                '/v1/ledger/trial-balance' => undef, '/v1/jobs' => undef,
                '/v1/constitution' => undef);

    my $courses = $azora->get('/v1/courses')->{json}{items};
    $urls{'/v1/courses/{slug}'} = "/v1/courses/$courses->[0]{slug}";
    $urls{'/v1/courses/{slug}/lessons/{number}'} =
        "/v1/courses/$courses->[0]{slug}/lessons/1";

    for my $path (sort keys %urls) {
        my $operation = $document->{paths}{$path}{get};
        ok $operation, "GET $path is documented" or next;

        my $r = $azora->get($urls{$path} || $path, token => $person->{token});
        is $r->{status}, 200, "GET $path answers";

        my @wrong = mismatches($r->{json}, $operation->{responses}{200}
            {content}{'application/json'}{schema}, '');
        is_deeply \@wrong, [], "GET $path: the answer fits its schema";
    }
};

subtest 'answers other than 200 are documented, with what they have' => sub {
    my $person = $azora->user('chidi');
    my $admin = $azora->user('dalila', roles => [qw(learner admin)]);
    my $hook = $azora->post('/v1/webhooks', token => $person->{token},
        json => { url => 'https://example.org/', types => ['user.left'] });
    my $quiz = finish_course($azora, $person, 'mobile-money-safety')->{quiz};
    my $lock = '/v1/admin/users/{id}/lock';
    my $node = '/v1/admin/services/{name}/nodes/{address}';
    my %lock = (json => { reason => 'a test' }, token => $admin->{token});
    my %node = (url => '/v1/admin/services/lms/nodes/203.0.113.5:80',
                token => $admin->{token});

    # Given requests that are answered in other ways than with a 200
    for ([POST => '/v1/webhooks/{id}/test', 202,
              url => "/v1/webhooks/$hook->{json}{id}/test"],
         [DELETE => '/v1/webhooks/{id}', 204,
              url => "/v1/webhooks/$hook->{json}{id}"],
         [POST => '/v1/quizzes/{id}/attempts', 201,
              url => "/v1/quizzes/$quiz->{id}/attempts"],
         [POST => '/v1/auth/password/forgot', 202,
              json => { email => 'chidi@example.org' }],
         [POST => '/v1/auth/email/verify', 202,
              json => { email => 'chidi@example.org' }],
         [PUT => $node, 201, %node, json => { weight => 2 }],
         [PUT => $node, 200, %node, json => { weight => 3 }],
         [DELETE => $node, 204, %node],
         [POST => $lock, 204, %lock,
              url => "/v1/admin/users/$person->{id}/lock"],
         [POST => '/v1/admin/users/{id}/unlock', 204, %lock, json => undef,
              url => "/v1/admin/users/$person->{id}/unlock"],
         [POST => '/v1/auth/logout', 204, token => $admin->{token}],
         [GET => '/.well-known/jwks.json', 200])
    {
        my ($method, $path, $status, %request) = @$_;
        my $url = delete $request{url} || $path;

        delete $request{json} if !defined $request{json};
        my $r = $azora->request($method, $url, token => $person->{token},
                                %request);

        # Then the document says so, with its type and its members
        is $r->{status}, $status, "$method $path answers $status"
            or diag($r->{body});
        fits("$method $path",
             $document->{paths}{$path}{lc $method}{responses}, $r);
    }

    my $shown = $azora->get('/v1/webhooks', token => $azora->login('chidi'));
    fits('GET /v1/webhooks',
         $document->{paths}{'/v1/webhooks'}{get}{responses}, $shown);

    for my $o (operations()) {
        my @said = sort grep { $_ < 400 } keys %{ $o->{operation}{responses} };

        ok scalar @said, "$o->{method} $o->{path}: it can be done";
        is "@said", '204', "$o->{path}: nothing is left to tell"
            if $o->{method} eq 'DELETE';
    }

    ok $document->{paths}{'/v1/me/receipts/{entry}'}{get}{responses}{409},
        'a receipt may not be there yet';
    ok $document->{paths}{'/v1/auth/oauth/{provider}/start'}{get}
        {responses}{303}, 'a browser is sent on to a provider';
};

subtest 'the page' => sub {
    my $r = $azora->get('/docs');
    my $html = $r->{body};

    is $r->{status}, 200, 'is there';
    like $r->{headers}{'content-type'}, qr{\Atext/html}, 'as HTML';
    cmp_ok length $html, '<', 1_500 * operations(), 'and small';
    unlike $html, qr/<script|javascript:|\son\w+=/i, 'without a script';
    unlike $html, qr{(?:src|href)="?(?:https?:)?//}i, 'or anything elsewhere';

    my ($style) = $html =~ m{<style>(.*?)</style>}s;
    my $hash = sha256_base64($style);
    $hash .= '=' while length($hash) % 4;
    my $policy = $r->{headers}{'content-security-policy'};
    like $policy, qr/default-src 'none'/, 'its policy forbids everything';
    like $policy, qr/style-src 'sha256-\Q$hash\E'/, 'but its own style';

    for my $o (operations()) {
        ok $html =~ m{<b>$o->{method}</b><code>\Q$o->{path}\E</code>},
            "it shows $o->{method} $o->{path}";
    }

    is $azora->get('/docs', headers => {
        'If-None-Match' => $r->{headers}{etag} })->{status}, 304,
        'and need not be sent twice';
};


# Where a value does not fit the part of JSON Schema that we write.
# Whether an answer is one of the documented ones, whole.
sub fits {
    my ($name, $responses, $r) = @_;
    my $documented = $responses->{ $r->{status} };

    ok $documented, "$name: $r->{status} is documented" or return;

    if (!defined $r->{headers}{'content-type'}) {
        is $documented->{content}, undef, "$name: nothing comes, as it says";
        return;
    }

    my ($type) = $r->{headers}{'content-type'} =~ /\A([^;]+)/;
    my $content = $documented->{content}{$type};

    ok $content, "$name: it is $type, as it says" or return;
    is_deeply [mismatches($r->{json} || $Azora::HTTP::JSON->decode($r->{body}),
                          $content->{schema}, '')], [],
        "$name: it has the members that it says";
}


sub mismatches {
    my ($value, $schema, $at) = @_;

    if (my $ref = $schema->{'$ref'}) {
        my $target = $document;
        $target = $target->{$_} for grep { length } split m{/},
            $ref =~ s/\A#//r;
        return mismatches($value, $target, $at);
    }

    my @types = ref $schema->{type} ? @{ $schema->{type} }
                                    : $schema->{type} // ();
    my $is = !defined $value ? 'null'
        : ref $value eq 'HASH' ? 'object'
        : ref $value eq 'ARRAY' ? 'array'
        : ref $value ? 'boolean'
        : $Azora::HTTP::JSON->encode($value) =~ /\A"/ ? 'string' : 'integer';

    return "$at is $is, not @types" if @types && !grep { $_ eq $is } @types;
    return "$at is none of its values" if $schema->{enum}
        && !grep { ($_ // '') eq ($value // '') } @{ $schema->{enum} };

    if ($is eq 'array') {
        return map { mismatches($value->[$_], $schema->{items}, "$at/$_") }
               0 .. $#$value;
    }

    if ($is eq 'object' && $schema->{properties}) {
        my $known = $schema->{properties};
        return (map({ exists $value->{$_} ? () : "$at/$_ is missing" }
                    @{ $schema->{required} || [] }),
                map({ $known->{$_}
                      ? mismatches($value->{$_}, $known->{$_}, "$at/$_")
                      : "$at/$_ is not documented" } sort keys %$value));
    }

    return ();
}

done_testing;

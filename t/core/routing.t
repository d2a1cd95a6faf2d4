# Which row answers, with which methods, and who may.

use strict;
use warnings;

use Test::More;

use Azora::Echo;

my $azora = Azora::Echo->start;


# The template of the row that answered.
sub path_of {
    my ($path, $method) = @_;
    my $r = $azora->request($method || 'GET', $path);
    return $r->{status} == 200 ? $r->{json}{path} : $r->{status};
}


subtest 'a literal segment wins over a parameter' => sub {
    is path_of('/echo/by/name'), '/echo/by/name', 'the literal row';
    is path_of('/echo/by/other'), '/echo/by/{slug}', 'the parameter';
    is path_of('/echo/by/name2'), '/echo/by/{slug}', 'no prefix matches';
    is $azora->get('/echo/by/a-b-1')->{json}{values}{slug}, 'a-b-1',
        'the value';
};


subtest 'addresses that do not exist' => sub {
    for my $path ('/nothing', '/echo', '/echo/', '/echo/by', '/echo/by/',
                  '/echo/by/x/', '/echo/by/x/y', '/Echo/by/x', '/echo/by/x;a',
                  '/echo%2Fby/x', '/echo/by/a%2Fb', '/echo/by/a%2fname')
    {
        my $r = $azora->get($path);
        my $expected = $path eq '/echo/by/x;a' ? 422 : 404;

        is $r->{status}, $expected, $path;
        is $r->{headers}{'content-type'}, 'application/problem+json',
            '  is a problem';
        is $r->{json}{type}, '/problems/not-found', '  not-found'
            if $expected == 404;
    }
};


subtest 'what NGINX decodes and merges' => sub {
    is path_of('/echo//by///name'), '/echo/by/name', 'repeated slashes';
    is path_of('/echo/x/../by/./name'), '/echo/by/name', 'dot segments';
    is path_of('/%65cho/by/%6eame'), '/echo/by/name', 'encoded letters';
    is path_of('/echo/by/name#there'), '/echo/by/name', 'a fragment';
    is $azora->get('/echo/text/a%20b%C3%A9%3F%25')->{json}{values}{text},
        "a b\x{e9}?%", 'encoded characters in a value';
    is path_of('/echo/by/%00'), 400, 'NUL';
    is path_of('/echo/by/%zz'), 400, 'no hexadecimal digits';
    is path_of('/../echo/by/name'), 400, 'above the root';
};


subtest 'methods' => sub {
    my $get = $azora->get('/echo/by/name');
    my $head = $azora->head('/echo/by/name');

    is $head->{status}, 200, 'HEAD finds the row of GET';
    is $head->{body}, '', '  without a body';
    is $head->{headers}{'content-length'}, length $get->{body},
        '  but its length';
    is $head->{headers}{'content-type'}, $get->{headers}{'content-type'},
        '  and its type';

    for my $method (qw(PUT POST PATCH DELETE FOO PROPFIND)) {
        my $r = $azora->request($method, '/echo/by/name');
        is $r->{status}, 405, "$method where only GET is";
        is $r->{headers}{allow}, 'GET, HEAD, OPTIONS', '  Allow';
        is $r->{json}{type}, '/problems/method-not-allowed', '  problem';
    }

    is $azora->request('PUT', '/echo/none')->{headers}{allow},
        'GET, HEAD, POST, DELETE, OPTIONS', 'all methods of the address';

    my $options = $azora->request('OPTIONS', '/echo/all/x');
    is $options->{status}, 204, 'OPTIONS';
    is $options->{headers}{allow}, 'POST, PATCH, OPTIONS', '  Allow';
    is $options->{body}, '', '  no body';

    is $azora->request('OPTIONS', '/nothing')->{status}, 404,
        'OPTIONS where nothing is';
    is $azora->request('OPTIONS', '/echo/admin')->{status}, 204,
        'OPTIONS needs no token';
    is $azora->head('/nothing')->{status}, 404, 'HEAD where nothing is';
    is $azora->head('/echo/all/x')->{status}, 405, 'HEAD where no GET is';
    is $azora->request('TRACE', '/echo/by/name')->{status}, 405, 'TRACE';
};


subtest 'who may' => sub {
    my $learner = $azora->user('amina');
    my $admin = $azora->user('esi', roles => ['learner', 'admin']);
    my $teacher = $azora->user('kofi', roles => ['teacher']);

    my %with = (nobody => {}, learner => { token => $learner->{token} },
                admin => { token => $admin->{token} },
                teacher => { token => $teacher->{token} });

    for my $case (['nobody', 'user', 401], ['learner', 'user', 200],
                  ['nobody', 'scope', 401], ['learner', 'scope', 200],
                  ['nobody', 'admin', 401], ['learner', 'admin', 403],
                  ['admin', 'admin', 200],
                  ['nobody', 'roles', 401], ['learner', 'roles', 403],
                  ['teacher', 'roles', 200], ['admin', 'roles', 200])
    {
        my ($who, $row, $status) = @$case;
        my $r = $azora->get("/echo/$row", %{ $with{$who} });
        is $r->{status}, $status, "$who, a row for $row";
    }

    my $r = $azora->get('/echo/user');
    is $r->{headers}{'www-authenticate'}, 'Bearer', 'the scheme to use';
    is $r->{json}{type}, '/problems/authentication-required', '  problem';

    $r = $azora->get('/echo/admin', token => $learner->{token});
    is $r->{headers}{'www-authenticate'},
        'Bearer error="insufficient_scope", scope="admin"',
        'the scope that is missing (RFC 6750, 3.1)';
    is $r->{json}{type}, '/problems/insufficient-scope', '  problem';

    $r = $azora->get('/echo/roles', token => $learner->{token});
    is $r->{json}{type}, '/problems/forbidden', 'the role that is missing';

    $r = $azora->request('POST', '/echo/scope');
    is $r->{status}, 405, 'the method is looked at before the token';
};


done_testing;

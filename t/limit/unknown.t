#!/usr/bin/env perl

# What does not exist counts against the limit as what does: who scans for
# addresses is slowed down.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Story qw(is_problem);
use Azora::Test;
use Test::More;

my $azora = Azora::Test->start(workers => 1, limits => <<'END');
azora_limit zone=ip key=address rate=4r/d;
END

is_problem($azora->get('/v1/nothing'), 404, 'not-found');
is_problem($azora->post('/v1/courses/x/lessons/1', json => {}), 405,
           'method-not-allowed');
is $azora->request('OPTIONS', '/v1/courses')->{status}, 204, 'OPTIONS';
is $azora->get('/v1/courses')->{headers}{ratelimit}, '"ip";r=0;t=86400',
    'the fourth is the last';
is_problem($azora->get('/v1/nothing'), 429, 'rate-limited');
is_problem($azora->request('OPTIONS', '/v1/courses'), 429, 'rate-limited');

done_testing;

#!/usr/bin/perl

# Rate limits as a client meets them: exact numbers, true headers, a problem
# that says what to do.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use Azora::Process qw(poll_until);
use Azora::Test;
use Azora::Token;
use Test::More;
use Time::HiRes qw(sleep time);

my $azora = Azora::Test->start(
    workers => 2,
    expect_alert => qr/exited on signal 9/,
    http => <<'HTTP',
azora_limit_zone name=minute size=1m;
azora_limit_zone name=hour size=1m;
azora_limit_zone name=person size=1m;
azora_limit_zone name=key size=1m;
azora_limit_zone name=fast size=1m;
azora_limit_zone name=trial size=1m;
azora_limit_zone name=outer size=1m;
azora_limit_zone name=inner size=1m;
set_real_ip_from 127.0.0.1;
real_ip_header X-Test-Address;
HTTP
    server => <<'SERVER',
azora_limit_exempt 192.0.2.0/24;
root /etc;
location = /minute { alias /etc/hostname; azora_limit zone=minute rate=100r/m; }
location = /hour { alias /etc/hostname; azora_limit zone=hour rate=100r/h; }
location = /fast {
    alias /etc/hostname;
    azora_limit zone=fast rate=2r/s burst=3;
}
location = /key {
    alias /etc/hostname;
    azora_limit zone=key key=$http_x_key rate=2r/h;
}
location = /keys {
    alias /etc/hostname;
    azora_limit zone=key key=$http_x_one rate=2r/h;
    azora_limit zone=key key=$http_x_two rate=2r/h;
}
location = /both {
    alias /etc/hostname;
    azora_limit zone=outer rate=5r/h;
    azora_limit zone=inner key=$http_x_key rate=2r/h;
}
location = /outer { alias /etc/hostname; azora_limit zone=outer rate=5r/h; }
location = /trial {
    alias /etc/hostname;
    azora_limit zone=trial rate=2r/h dry_run;
}
location /nested {
    azora_limit zone=hour rate=1r/h;
    location = /nested/free { azora_limit off; alias /etc/hostname; }
    location = /nested/same { alias /etc/hostname; }
    alias /etc;
}
location /redirected {
    azora_limit zone=hour rate=3r/h;
    error_page 404 = /fallback;
}
location = /fallback {
    azora_limit zone=hour rate=3r/h;
    alias /etc/hostname;
}
location = /v1/me {
    azora_api on;
    azora_limit zone=person key=subject rate=3r/h;
}
location /v1/auth/ {
    azora_api on;
    azora_limit zone=hour rate=100r/h;
    azora_limit zone=login rate=2r/h route=/v1/auth/login|/v1/auth/no;
    azora_limit zone=register rate=3r/h route=/v1/auth/register;
}
location = /v1/courses { azora_api on; azora_limit zone=hour rate=100r/h; }
location /tier/ {
    azora_auth required;
    azora_limit zone=person key=subject rate=4r/d;
    azora_limit zone=person key=subject rate=6r/d tier=student;
    azora_limit zone=person key=subject rate=8r/d tier=professional;
    azora_limit zone=person key=subject rate=10r/d tier=enterprise;
    alias /etc/;
}
location = /api-key {
    azora_auth required;
    azora_limit zone=person key=api_key rate=3r/d;
    alias /etc/hostname;
}
location = /session {
    azora_auth required;
    azora_limit zone=person key=session rate=2r/d;
    alias /etc/hostname;
}
SERVER
);

my $address = 0;
my ($key) = grep { !/retired|next/ } glob "$azora->{dir}/keys/*.pem";


sub from {
    return headers => [['X-Test-Address', $_[0]], @_[1 .. $#_]];
}


sub fresh {
    $address++;
    return '203.0.113.' . $address;
}


sub metric {
    my ($name) = @_;
    return $azora->get('/metrics')->{body} =~ /^\Q$name\E (\d+)$/m ? $1 : -1;
}


subtest 'a hundred a minute' => sub {
    my $client = fresh();
    my $first = $azora->get('/minute', from($client));

    is $first->{status}, 200, 'the first request passes';
    is $first->{headers}{ratelimit}, '"minute";r=99;t=1', 'and leaves 99';
    is $first->{headers}{'ratelimit-policy'}, '"minute";q=100;w=60',
        'of a hundred in 60 seconds';

    my $began = time;
    my $http = $azora->connect;
    my (@statuses, $last);

    for (1 .. 110) {
        $last = $azora->get('/minute', from($client), connection => $http);
        push @statuses, $last->{status};
    }

    # one comes back every 0.6 s
    my $passed = grep { $_ == 200 } @statuses;
    my $back = int((time - $began) / 0.6) + 1;

    cmp_ok $passed, '>=', 99, 'a hundred pass at once';
    cmp_ok $passed, '<=', 99 + $back, 'and no more than came back meanwhile';
    is $statuses[-1], 429, 'then none';

    is $last->{headers}{ratelimit}, '"minute";r=0;t=60', 'nothing is left';
    is $last->{headers}{'retry-after'}, 1, 'the next is free within a second';
    is $last->{headers}{'content-type'}, 'application/problem+json',
        'the answer is a problem';
    is $last->{json}{type}, '/problems/rate-limited', 'of this type';
    is $last->{json}{status}, 429, 'with its status';
    is_deeply $last->{json}{'violated-policies'}, ['minute'],
        'that names the policy';
    like $last->{json}{detail}, qr/100 requests in 60 seconds/,
        'and says what is allowed';

    is $azora->get('/minute', from(fresh()))->{status}, 200,
        'another address is not concerned';
};


subtest 'what Retry-After promises is true' => sub {
    my $client = fresh();
    my ($r, $refused);

    for (1 .. 10) {
        $r = $azora->get('/fast', from($client));
        last if $r->{status} == 429;
    }

    is $r->{status}, 429, 'three at once were too many';
    is $r->{headers}{'ratelimit-policy'}, '"fast";q=3;w=2',
        'three, free again in two seconds';
    sleep $r->{headers}{'retry-after'};
    is $azora->get('/fast', from($client))->{status}, 200,
        'after the seconds told it passes';
};


subtest '64 clients at once' => sub {
    my $client = fresh();
    my $request = Azora::HTTP::format_request('GET', '/hour', keepalive => 1,
                                              from($client));
    my @clients = map { $azora->connect } 1 .. 64;
    my %statuses;

    for (1 .. 4) {
        $_->write($request) for @clients;
        $statuses{ $_->read_response->{status} }++ for @clients;
    }

    is_deeply \%statuses, { 200 => 100, 429 => 156 },
        'exactly a hundred of 256 pass';
};


subtest 'a reload and a dead worker forget nothing' => sub {
    my $client = fresh();
    my $r;

    $azora->get('/hour', from($client)) for 1 .. 10;
    $azora->reload;
    $r = $azora->get('/hour', from($client));
    # 36 s each, less what came back meanwhile
    like $r->{headers}{ratelimit}, qr/"hour";r=89;t=39\d/,
        'ten and one are counted';

    # the workers before the reload have to be gone
    ok poll_until(20, sub { 2 == (() = $azora->worker_pids) }), 'two workers';
    $azora->kill_worker;
    $azora->wait_ready;
    $r = $azora->get('/hour', from($client));
    like $r->{headers}{ratelimit}, qr/"hour";r=88;t=4[23]\d/,
        'and so is the twelfth';
};


subtest 'addresses' => sub {
    my $mine = '2001:db8:1:2::1';
    my $neighbour = '2001:db8:1:2:ffff::7';
    my $other = '2001:db8:1:3::1';

    my $r = $azora->get('/hour', from($mine));
    like $r->{headers}{ratelimit}, qr/;r=99;/, 'an IPv6 client is counted';
    $r = $azora->get('/hour', from($neighbour));
    like $r->{headers}{ratelimit}, qr/;r=98;/, 'with all of its /64';
    $r = $azora->get('/hour', from($other));
    like $r->{headers}{ratelimit}, qr/;r=99;/, 'and not with the next one';

    my $v4 = fresh();
    $azora->get('/hour', from($v4));
    $r = $azora->get('/hour', from("::ffff:$v4"));
    like $r->{headers}{ratelimit}, qr/;r=98;/,
        'an IPv4 address in IPv6 clothes stays the same';

    $r = $azora->get('/hour', from('192.0.2.7'));
    is $r->{status}, 200, 'an exempt network passes';
    is $r->{headers}{ratelimit}, undef, 'and is not counted';
};


subtest 'keys of any kind' => sub {
    is $azora->get('/key', from(fresh(), ['X-Key', 'a']))->{status}, 200, 'a';
    is $azora->get('/key', from(fresh(), ['X-Key', 'a']))->{status}, 200, 'a';
    is $azora->get('/key', from(fresh(), ['X-Key', 'a']))->{status}, 429,
        'a from any address is one key';
    is $azora->get('/key', from(fresh(), ['X-Key', 'b']))->{status}, 200, 'b';
    $azora->get('/keys', from(fresh(), ['X-One', 'c'])) for 1 .. 2;
    is $azora->get('/keys', from(fresh(), ['X-One', 'c']))->{status}, 429,
        'c is used up';
    is $azora->get('/keys', from(fresh(), ['X-Two', 'c']))->{status}, 200,
        'a key with the same value is another one';

    my $r = $azora->get('/key', from(fresh()));
    is $r->{status}, 200, 'a request without the key passes';
    is $r->{headers}{ratelimit}, undef, 'uncounted';

    my $long = 'k' x 3000;
    is $azora->get('/key', from(fresh(), ['X-Key', $long]))->{status}, 200,
        'a key may be long';
};


subtest 'two rules in one place' => sub {
    my $client = fresh();
    my $r;

    $r = $azora->get('/both', from($client, ['X-Key', 'one']));
    is $r->{headers}{ratelimit}, '"outer";r=4;t=720, "inner";r=1;t=1800',
        'both stand in one header';
    is $r->{headers}{'ratelimit-policy'},
        '"outer";q=5;w=3600, "inner";q=2;w=3600', 'in the same order';
    is grep({ lc $_->[0] eq 'ratelimit' } @{ $r->{header_list} }), 1,
        'there is no second header';

    $azora->get('/both', from($client, ['X-Key', 'one']));
    $r = $azora->get('/both', from($client, ['X-Key', 'one']));
    is $r->{status}, 429, 'the inner rule refuses the third';
    is_deeply $r->{json}{'violated-policies'}, ['inner'], 'and is named';
    cmp_ok $r->{headers}{'retry-after'}, '>', 1790, 'with its own time';
    like $r->{headers}{ratelimit}, qr/"outer";r=3;/,
        'what was refused costs nothing with the other';

    $r = $azora->get('/outer', from($client));
    like $r->{headers}{ratelimit}, qr/"outer";r=2;/,
        'a zone is shared by the places that use it with one rate';
};


subtest 'dry run' => sub {
    my $client = fresh();
    my $before = metric('azora_limit_dry_run_total{zone="trial"}');
    my @r = map { $azora->get('/trial', from($client)) } 1 .. 5;

    is grep({ $_->{status} == 200 } @r), 5, 'everything passes';
    is $r[0]{headers}{ratelimit}, undef, 'nothing is announced';
    is metric('azora_limit_dry_run_total{zone="trial"}') - $before, 3,
        'what would be refused is counted';
    is metric('azora_limit_refused_total{zone="trial"}'), 0,
        'apart from what is refused';
    ok $azora->wait_log(qr/would refuse, zone "trial", dry run/), 'and logged';
};


subtest 'places within places' => sub {
    my $client = fresh();
    my $r;

    is $azora->get('/nested/same', from($client))->{status}, 200, 'inherited';
    is $azora->get('/nested/same', from($client))->{status}, 429, 'and kept';
    is $azora->get('/nested/free', from($client))->{status}, 200, 'or off';

    $r = $azora->get('/redirected/nowhere', from(fresh()));
    is $r->{status}, 200, 'an internal redirect goes on';
    like $r->{headers}{ratelimit}, qr/r=2;/, 'and is counted once';
    is grep({ lc $_->[0] eq 'ratelimit' } @{ $r->{header_list} }), 1,
        'and announced once';
};


subtest 'people' => sub {
    my $amina = $azora->user('amina');
    my $badru = $azora->user('badru');
    my @r = map {
        $azora->get('/v1/me', token => $amina->{token}, from(fresh()))
    } 1 .. 4;

    is join(' ', map { $_->{status} } @r), '200 200 200 429',
        'a person is counted, wherever they are';
    is $r[0]{headers}{ratelimit}, '"person";r=2;t=1200', 'exactly';
    is_deeply $r[3]{json}{'violated-policies'}, ['person'], 'and told why';
    is $azora->get('/v1/me', token => $badru->{token})->{status}, 200,
        'another has a budget of their own';

    my $r = $azora->get('/v1/me');
    is $r->{status}, 401, 'a stranger is told to log in';
    is $r->{headers}{ratelimit}, undef, 'and has no budget to speak of';
};


subtest 'tiers, sessions and routes' => sub {
    my $mint = sub {
        my ($n, %claims) = @_;
        return Azora::Token::make($key, claims => {
            sub => "019a9f00-0000-7000-8000-00000000000$n",
            sid => "019a9f00-0000-7000-8000-0000000000aa", %claims });
    };
    my $left = sub {
        my $r = $azora->get($_[0], token => $_[1], from(fresh()));
        return $r->{headers}{ratelimit} =~ /r=(\d+)/ ? $1 : 'none';
    };

    is $left->('/tier/v1/courses', $mint->(1)), 3, 'nobody in particular';
    is $left->('/tier/v1/courses', $mint->(2, tier => 'free')), 3, 'free';
    is $left->('/tier/v1/courses', $mint->(3, tier => 'student')), 5,
        'students may more';
    is $left->('/tier/v1/courses', $mint->(4, tier => 'professional')), 7,
        'professionals more yet';
    is $left->('/tier/v1/courses', $mint->(5, tier => 'enterprise')), 9,
        'and enterprises most';

    my %tiered = (email => 'tiered@example.org',
                  password => 'a long pass phrase');
    my $account = $azora->post('/v1/auth/register', from(fresh()),
                               json => { %tiered, name => 'Tiered' })->{json};
    $azora->sql("UPDATE identity.account SET tier = 'enterprise'
                 WHERE id = ?", $account->{id});
    is $left->('/tier/v1/courses',
               $azora->post('/v1/auth/login', from(fresh()),
                            json => \%tiered)->{json}{access_token}), 9,
        'who logs in gets what the account is entitled to';

    my ($desk, $phone) = map { $mint->(6, sid =>
        "019a9f00-0000-7000-8000-0000000000b$_") } 1, 2;
    is join(' ', map { $left->('/session', $desk) } 1 .. 2), '1 0',
        'a session has its own';
    is $left->('/session', $phone), 1, 'another of the same person, too';

    my $client = fresh();
    my $r = $azora->post('/v1/auth/login', from($client), json => {
        email => 'nobody@example.org', password => 'x' });
    is $r->{headers}{ratelimit}, '"hour";r=90;t=360, "login";r=1;t=1800',
        'a login costs ten, and one of its own bucket';
    $r = $azora->post('/v1/auth/register', from($client), json => {});
    is $r->{headers}{ratelimit}, '"hour";r=80;t=720, "register";r=2;t=1200',
        'registering has another';
    $r = $azora->post('/v1/auth/login', from($client), json => {})
        for 1 .. 2;
    is_deeply $r->{json}{'violated-policies'}, ['login'],
        'the third login is refused by its bucket';
    is $azora->get('/v1/courses', from($client))->{headers}{ratelimit} =~
        /"hour";r=(\d+)/ && $1, 69, 'a list costs one';
};


subtest 'API keys' => sub {
    my %with = (email => 'root@example.org',
                password => 'a pass phrase of mine');
    my $root = $azora->post('/v1/auth/register', from(fresh()),
                            json => { %with, name => 'Root' })->{json};
    $azora->sql("UPDATE identity.account SET roles = '{admin}' WHERE id = ?",
                $root->{id});
    my $r = $azora->post('/v1/auth/login', from(fresh()), json => \%with);
    my $token = $r->{json}{access_token};
    my @root = (token => $token, from(fresh()));
    my $service = $azora->post('/v1/admin/services', @root,
                               json => { name => 'Reports' })->{json}{id};
    my ($one, $two) = map {
        $azora->post("/v1/admin/users/$service/keys", @root,
                     json => { name => "key $_", scopes => ['profile:read'] }
        )->{json}{key}
    } 1, 2;
    my $ask = sub {
        my ($name, $value) = @_;
        return $azora->get('/api-key', headers => [
            [$name, $value], ['X-Test-Address', fresh()]])->{status};
    };

    is join(' ', map { $ask->('Authorization', "Bearer $one") } 1 .. 2),
        '200 200', 'a key has so many';
    is $ask->('Authorization', "Bearer   $one"), 200, 'however it is written';
    is $ask->('X-API-Key', $one), 429, 'and wherever';
    is $ask->('X-API-Key', $two), 200, 'another one of the service has its own';
    is join(' ', map { $ask->('Authorization', "Bearer $token") }
                 1 .. 5), '200 200 200 200 200', 'who has a token has none';
};


subtest 'metrics' => sub {
    my $client = fresh();
    my $before = metric('azora_limit_refused_total{zone="hour"}');

    $azora->get('/nested/same', from($client)) for 1 .. 3;
    is metric('azora_limit_refused_total{zone="hour"}') - $before, 2,
        'refusals are counted by zone';
    is metric('azora_limit_evicted_total{zone="hour"}'), 0,
        'nobody had to be forgotten';
};


done_testing;

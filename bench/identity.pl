# Tokens and logins: what a cached and a cold token cost, against NGINX's own
# limit and the same in Lua, and how near logins come to bare argon2id.

use strict;
use warnings;

use Azora::Bench;
use Azora::Process qw(slurp spew);
use Azora::Test;
use Azora::Token;

my $root = $Azora::Test::ROOT;
my $body = '{"message":"The quick brown fox jumps over it"}';


# Other values for directives of conf/azora/http.conf
sub settings {
    my (%values) = @_;

    return sub {
        s{^\s*include\s+"([^"]*/http\.conf)";}{slurp($1)}me;

        for my $name (keys %values) {
            s/^(\s*$name)\s[^;]*/$1 $values{$name}/m or die "no $name\n";
        }
    };
}


sub base { return "http://127.0.0.1:$_[0]{port}" }


# The verified token comes out of the cache.
sub cached {
    my $azora = Azora::Test->start(workers => 1, server => qq{
        location = /bench/return {
            access_log off;
            default_type application/json;
            return 200 '$body';
        }

        location = /bench/token {
            access_log off;
            azora_auth required;
            azora_status livez;
        }
    });
    my $token = $azora->user('amina')->{token};

    compare('token-cached',
            sub { return scalar wrk(base($azora), path => '/bench/token',
                                    token => $token, @_) },
            sub { return scalar wrk(base($azora), path => '/bench/return',
                                    @_) },
            target => 0.90,
            note => 'a verified token and its revocations, against return '
                    . '200');
}


# Each token is verified. Both locations answer by the same handler.
sub cold {
    my $modules = '/usr/lib/nginx/modules';

    if (!-e "$modules/ngx_http_lua_module.so") {
        print "bench token-cold: libnginx-mod-http-lua is missing\n";
        return;
    }

    # the key before NGINX starts: the harness copies these files
    my $dir = Azora::Test::run_dir() . '/keys';
    my ($pem) = glob "$dir/*.pem";
    my $der = Azora::Test::run_dir() . '/bench.der';
    capture('openssl', 'pkey', '-in', $pem, '-pubout', '-outform', 'DER',
            '-out', $der);
    my $kid = Azora::Token::jwk($pem)->{kid};

    my $azora = Azora::Test->start(
        workers => 1,
        main => "load_module $modules/ndk_http_module.so;\n"
                . "load_module $modules/ngx_http_lua_module.so;",
        http => qq{
            lua_package_path "$root/bench/peers/?.lua;;";
            init_worker_by_lua_block { require("jwt").init("$der") }
        },
        server => qq{
            location = /bench/cold {
                access_log off;
                azora_auth required;
                azora_status livez;
            }

            location = /bench/lua {
                access_log off;
                set \$bench_kid "$kid";
                access_by_lua_block { require("jwt").guard() }
                azora_status livez;
            }
        },
        edit => settings(azora_auth_cache => 'off'),
    );
    my $token = $azora->user('amina')->{token};

    die "the peer takes any token\n"
        if $azora->get('/bench/lua', token => "${token}x")->{status} != 401
           || $azora->get('/bench/lua')->{status} != 401;

    compare('token-cold',
            sub { return scalar wrk(base($azora), path => '/bench/cold',
                                    token => $token, @_) },
            sub { return scalar wrk(base($azora), path => '/bench/lua',
                                    token => $token, @_) },
            target => '1.15, and 20000/s',
            note => 'ES256 verified at each request on one core, against '
                    . 'NGINX+Lua with a cached key');
}


# Logins on one thread against argon2id on one thread, and what they do to
# the answers of others.
sub logins {
    my $azora = Azora::Test->start(workers => 1,
        server => qq{
            location = /bench/plain {
                access_log off;
                azora_status livez;
            }
        },
        edit => settings(
            azora_auth_thread_pool => 'azora_hash threads=1 queue=64'));
    my $people = 200;

    # all have the first one's hash: registering costs as much as a login
    $azora->register('known0');
    $azora->sql("INSERT INTO identity.account (id, email, name)
        SELECT azora.uuid7(), 'known' || n || '\@example.org', 'Known'
        FROM generate_series(1, ?) AS n", $people - 1);
    $azora->sql("INSERT INTO identity.credential (account, password)
        SELECT a.id, c.password
        FROM identity.account AS a, identity.credential AS c
        WHERE a.name = 'Known'");

    spew("$azora->{dir}/login.lua", <<"END");
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local n = 0
request = function()
    n = (n + 1) % $people
    return wrk.format(nil, nil, nil, '{"email":"known' .. n ..
        '\@example.org","password":"a long pass phrase"}')
end
END

    my $login = sub {
        return scalar wrk(base($azora), path => '/v1/auth/login',
                          connections => 8,
                          script => "$azora->{dir}/login.lua", @_);
    };

    my $build = $ENV{BUILD} || "$root/build";
    mkdir "$build/bin";
    capture('cc', '-O2', '-Wall', '-pthread', '-o', "$build/bin/azora-argon2",
            "$root/bench/argon2.c", '-lsodium');

    my $bare = sub {
        my (%opts) = @_;
        my $text = capture("$build/bin/azora-argon2", '-t', 1, '-d',
                           $opts{warm} ? 1 : seconds());
        return $text =~ /rate=([\d.]+)/ ? $1 : die "argon2: $text\n";
    };

    compare('login-argon2', $login, $bare, target => 0.85,
            note => 'logins a second on one hashing thread, against bare '
                    . 'argon2id of 19 MiB and two passes on one');

    beside($azora, $login);
}


# p99 of others at a constant rate, without and with logins, and beside a
# process that hashes as much and has nothing to do with them. The delay is
# the server's: what the generator itself waits for one of the processors that
# all share is left out, because nobody who asks from elsewhere waits for it.
sub beside {
    my ($azora) = @_;
    my $request = join "\r\n", 'GET /bench/plain HTTP/1.1',
        'Host: azora.test', '', '';
    my $file = "$azora->{dir}/plain";
    my $time = seconds() + 2;
    my %beside = (
        without => [],
        bare    => [($ENV{BUILD} || "$root/build") . '/bin/azora-argon2',
                    '-t', 1, '-d', $time],
        with    => ['wrk', '-t', 1, '-c', 4, '-d', "${time}s", '-s',
                    "$azora->{dir}/login.lua",
                    base($azora) . '/v1/auth/login'],
    );
    my %p99;

    spew($file, length($request) . "\n$request\n");

    for my $run (1 .. runs()) {
        my @kinds = sort keys %beside;
        for my $kind ($run % 2 ? @kinds : reverse @kinds) {
            my $pid = @{ $beside{$kind} }
                ? background({}, @{ $beside{$kind} }) : undef;
            my $seen = load($azora->{port}, $file, connections => 32,
                            rate => 2000, kernel => 1);

            push @{ $p99{$kind} }, $seen->{p99};
            if ($pid) {
                kill TERM => -$pid;
                waitpid $pid, 0;
            }
        }
    }

    my %median = map { $_ => median(@{ $p99{$_} }) } keys %p99;
    printf "bench login-others-p99-us with=%.0f without=%.0f more=%.0f "
           . "bare=%.0f\n", @median{qw(with without)},
        $median{with} - $median{without}, $median{bare};
    print "      the server's p99 at 2,000 requests/s beside logins, target: "
          . "1000 us more at most;\n      bare: beside a process that hashes "
          . "as much\n";
}


cached();
cold();
logins();

1;

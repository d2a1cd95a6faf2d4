# What limits and the gateway cost: the same location with and without, a
# guarded proxy_pass against a bare one and against NGINX with Lua doing the
# same, and limits that Redis shares.

use strict;
use warnings;

use Azora::Bench;
use Azora::Process qw(poll_until spew);
use Azora::Test;
use IO::Socket::INET;
use Time::HiRes qw(time);

my $body = '{"message":"The quick brown fox jumps over it"}';
my $module = '/usr/lib/nginx/modules';
my @ports = map {
    my $probe = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
    $probe->sockport;
} 1 .. 2;
my ($service, $lua) = @ports;

my $azora = Azora::Test->start(
    workers => 1,
    http => <<"HTTP",
azora_limit_zone name=bench size=4m;
azora_limit_zone name=shared size=4m shared;
upstream service { server 127.0.0.1:$service; keepalive 64; }
HTTP
    server => <<"SERVER",
proxy_http_version 1.1;
proxy_set_header Connection "";
location = /return {
    access_log off;
    default_type application/json;
    return 200 '$body';
}
location = /plain { access_log off; azora_status livez; azora_limit off; }
location = /limited {
    access_log off;
    azora_status livez;
    azora_limit zone=bench key=address rate=1000000r/s burst=1000000;
}
location = /shared {
    access_log off;
    default_type application/json;
    azora_limit zone=shared key=address rate=1000000r/s burst=1000000;
    azora_status livez;
}
location /bare { proxy_pass http://service; }
location /guarded {
    azora_auth required;
    azora_limit zone=bench key=subject rate=1000000r/s burst=1000000;
    azora_identity headers;
    proxy_pass http://service;
}
SERVER
);

my $base = "http://127.0.0.1:$azora->{port}";
my $amina = $azora->user('amina');


# An NGINX of its own, with one worker.
sub nginx {
    my ($name, $port, $main, $http, $server) = @_;
    my $dir = "$azora->{dir}/$name";
    mkdir $dir;
    my $temp = join '', map { "${_}_temp_path $dir/$_;\n" }
               qw(client_body proxy fastcgi uwsgi scgi);
    my $user = $> == 0 ? 'user www-data;' : '';

    spew("$dir/nginx.conf", <<"CONF");
$main $user
pid $dir/pid; error_log $dir/error.log; daemon off; worker_processes 1;
events { worker_connections 4096; }
http {
    $temp
    access_log off;
    keepalive_requests 1000000;
    $http
    server { listen 127.0.0.1:$port backlog=4096; $server }
}
CONF
    my $pid = background({}, 'nginx', '-p', "$dir/", '-e',
                         "$dir/error.log", '-c', "$dir/nginx.conf");
    poll_until(10, sub {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
    }) or die "$name does not start\n";
    return $pid;
}


# Microseconds of processor time that these processes take for a request: less
# disturbed by whatever else the machine does than a rate is.
sub microseconds {
    my ($pids, $load) = @_;
    my $ticks = sub {
        my $sum = 0;
        for my $pid (@$pids) {
            my @stat = split ' ', Azora::Process::slurp("/proc/$pid/stat")
                =~ s/.*\) //r;
            $sum += $stat[11] + $stat[12];
        }
        return $sum;
    };
    my $before = $ticks->();
    my $began = time;
    my $rate = $load->();
    return ($ticks->() - $before) * 10_000 / ($rate * (time - $began));
}


# One request, to know that the other does what we do.
sub check {
    my ($port, $path, $token, $status) = @_;
    my $http = Azora::HTTP->connect('127.0.0.1', $port);
    $http->write(Azora::HTTP::format_request('GET', $path, token => $token));
    my $got = $http->read_response->{status};
    die "$path: $got instead of $status\n" if $got != $status;
}


nginx('service', $service, '', '', <<"SERVER");
location / { default_type application/json; return 200 '$body'; }
SERVER

compare('limit-cost',
        sub { return scalar wrk($base, path => '/limited', @_) },
        sub { return scalar wrk($base, path => '/plain', @_) },
        target => 0.97, note => 'the same location with and without a limit');

my $guarded = sub {
    return scalar wrk($base, path => '/guarded', token => $amina->{token},
                      @_);
};

compare('gateway-proxy', $guarded,
        sub {
            return scalar wrk($base, path => '/bare',
                              token => $amina->{token}, @_);
        },
        target => 0.90,
        note => 'cached token, limit and identity before proxy_pass with'
                . ' keepalive against proxy_pass alone; the same request,'
                . ' and both log a line');

if (-f "$module/ngx_http_lua_module.so") {
    # its cache holds the token from the start: verifying is not measured
    my $master = nginx('lua', $lua, <<"MAIN", <<"HTTP", <<'SERVER');
load_module $module/ndk_http_module.so;
load_module $module/ngx_http_lua_module.so;
MAIN
lua_shared_dict tokens 8m; lua_shared_dict limits 8m;
lua_shared_dict metrics 1m;
log_format json escape=json '{"time":"\$time_iso8601","status":\$status,'
    '"method":"\$request_method","path":"\$uri","seconds":\$request_time,'
    '"address":"\$remote_addr","agent":"\$http_user_agent",'
    '"bytes":\$bytes_sent,"id":"\$request_id"}';
upstream service { server 127.0.0.1:$service; keepalive 64; }
init_by_lua_block {
    ngx.shared.tokens:set("$amina->{token}",
        "$amina->{id}|4000000000|learner|course:read wallet:read")
}
HTTP
access_log access.log json buffer=32k flush=1s;
location / {
    access_by_lua_block {
        local token = (ngx.var.http_authorization or ""):match("^Bearer (.+)$")
        local claims = token and ngx.shared.tokens:get(token)
        if not claims then return ngx.exit(401) end
        local sub, exp, roles, scope =
            claims:match("^([^|]*)|([^|]*)|([^|]*)|([^|]*)$")
        if tonumber(exp) <= ngx.time() then return ngx.exit(401) end
        local n = ngx.shared.limits:incr(sub, 1, 0, 60)
        if n > 1000000000 then return ngx.exit(429) end
        ngx.header["RateLimit"] = '"bench";r=' .. (1000000000 - n) .. ';t=60'
        for name in pairs(ngx.req.get_headers()) do
            if name:sub(1, 8) == "x-azora-" then
                ngx.req.clear_header(name)
            end
        end
        ngx.req.clear_header("Authorization")
        ngx.req.set_header("X-Azora-Subject", sub)
        ngx.req.set_header("X-Azora-Roles", roles)
        ngx.req.set_header("X-Azora-Scope", scope)
        ngx.req.set_header("X-Request-Id", ngx.var.request_id)
    }
    log_by_lua_block {
        local m = ngx.shared.metrics
        m:incr("requests", 1, 0)
        m:incr("seconds", tonumber(ngx.var.request_time), 0)
    }
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_pass http://service;
}
SERVER

    check($lua, '/x', undef, 401);
    check($lua, '/x', $amina->{token}, 200);

    my $peer = sub {
        return scalar wrk("http://127.0.0.1:$lua", path => '/guarded',
                          token => $amina->{token}, @_);
    };
    compare('gateway-lua', $guarded, $peer, target => 1.2,
            note => 'against NGINX with Lua doing the same');
    report('gateway-lua-us',
           microseconds([$azora->worker_pids], $guarded),
           microseconds([Azora::Process::children($master)], $peer));

} else {
    print "bench gateway-lua skipped: libnginx-mod-http-lua is missing\n";
}


sub metric {
    my ($name) = @_;
    return $azora->get('/metrics')->{body} =~ /^\Q$name\E (\d+)$/m ? $1 : 0;
}

my @before = map { metric("azora_limit_shared_${_}_total") }
             qw(requests flushes);

compare('limit-redis',
        sub { return scalar wrk($base, path => '/shared', @_) },
        sub { return scalar wrk($base, path => '/return', @_) },
        target => 0.4, note => 'a limit shared through Redis against return '
                               . '200');

my ($asked, $flushes) = map { metric("azora_limit_shared_${_}_total") }
                        qw(requests flushes);
report('limit-redis-commands', ($asked - $before[0])
       / (($flushes - $before[1]) || 1), 10);
printf "      alone: %d\n", metric('azora_limit_alone_total{zone="shared"}');

1;

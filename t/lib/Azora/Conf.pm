package Azora::Conf;

# What `nginx -t` says of lines in http {}, with the core and some modules.

use strict;
use warnings;

use Azora::Process qw(slurp spew);
use Azora::Test;
use File::Temp qw(tempdir);


# Names of modules without what all have in common: new('limit').
sub new {
    my ($class, @names) = @_;
    my $wanted = join '|', 'azora', map { "azora_$_" } @names;

    return bless {
        dir => tempdir(CLEANUP => 1),
        modules => join("\n", grep { /http_(?:$wanted)_module/ }
                                   split /\n/, Azora::Test::module_lines()),
    }, $class;
}


# The status, and all that was said.
sub check {
    my ($self, $http) = @_;
    my $dir = $self->{dir};
    my $log = "$dir/log";

    unlink $log;
    spew("$dir/nginx.conf", "$self->{modules}\n" . <<"CONF");
pid $dir/pid;
error_log $log info;
events { }
http {
    access_log off;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    $http
}
CONF

    my @command = (Azora::Test::nginx_binary(), '-t', '-p', "$dir/", '-e',
                   $log, '-c', "$dir/nginx.conf");
    local $ENV{ASAN_OPTIONS} = 'detect_leaks=0:detect_odr_violation=0';
    my $status = Azora::Process::run_to_file("$dir/out", $dir, @command);

    return ($status, slurp("$dir/out") . slurp($log));
}


1;

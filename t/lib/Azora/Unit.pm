package Azora::Unit;

# Builds a test written in C as a dynamic module, lets NGINX load it beside
# the core while it checks a configuration, and hands on its TAP.
#
#     use Azora::Unit;
#     Azora::Unit->new->run('t/unit/route.c');    # one test of Test::More
#
# BUILD and SANITIZE choose the build as they do for scripts/build.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Path qw(make_path);
use File::Temp ();
use Test::More;


sub new {
    my ($class, %options) = @_;

    my $root = $ENV{AZORA_ROOT} || abs_path(dirname(__FILE__) . '/../../..');
    my $build = $ENV{BUILD} || "$root/build";
    my $kind = $ENV{SANITIZE} ? 'san' : 'plain';

    my $self = bless {
        root => $root,
        kind => $kind,
        src => "$build/$kind/src",
        objs => "$build/$kind/objs",
        out => "$build/$kind/unit",
        modules => $kind eq 'san' ? "$build/san/modules" : "$build/modules",
        nginx => $kind eq 'san' ? "$build/san/nginx"
                                : ($ENV{NGINX_BIN} || 'nginx'),
        env => $options{env} || {},
    }, $class;

    -f "$self->{modules}/ngx_http_azora_module.so"
        or die "there are no modules in $self->{modules}: make build\n";

    make_path($self->{out});
    $self->read_makefile;

    return $self;
}


# The flags and include directories NGINX itself was configured with.
sub read_makefile {
    my ($self) = @_;

    open my $file, '<', "$self->{objs}/Makefile"
        or die "$self->{objs}/Makefile: $!\n";
    my $text = do { local $/; <$file> };
    close $file;

    $text =~ s/\\\n/ /g;
    my ($flags) = $text =~ /^CFLAGS\s*=(.*)$/m;
    my ($includes) = $text =~ /^ALL_INCS\s*=(.*)$/m;
    my %seen;

    # the core's own Makefile knows NGINX by paths relative to the sources
    $self->{flags} = [split ' ', $flags];
    $self->{includes} = [grep { !$seen{$_}++ }
                         map { m{^/} ? $_ : "$self->{src}/$_" }
                         grep { $_ ne '-I' } split ' ', $includes];
    return;
}


sub command {
    my ($self, $source, $so) = @_;

    my @flags = (@{ $self->{flags} },
                 qw(-Wall -Wextra -Werror -Wno-unused-parameter));

    if ($self->{kind} eq 'san') {
        push @flags, '-Wno-maybe-uninitialized',
            '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined';
    }

    return ('gcc', @flags, '-fPIC', '-shared', '-o', $so,
            (map { "-I$_" } @{ $self->{includes} }, "$self->{objs}",
                            "$self->{root}/ngx_azora_core",
                            "$self->{root}/t/unit"),
            (map { "-I$self->{root}/modules/$_" } capability($self, $source)),
            $source, split ' ', $self->libraries);
}


# auth_jwt.c tests functions of modules/auth: its header can be included, and
# its module is loaded too.
sub capability {
    my ($self, $source) = @_;

    my ($name) = basename($source) =~ /^([a-z]+)_/ or return;
    return -d "$self->{root}/modules/$name" ? $name : ();
}


# what a test calls itself; everything else is the core's
sub libraries {
    return scalar `pkg-config --libs jansson libcrypto libsodium`;
}


sub build {
    my ($self, $source) = @_;

    my $so = "$self->{out}/" . basename($source, '.c') . ".$$.so";
    my $log = qx{@{[quoted($self->command($source, $so))]} 2>&1};

    if ($? != 0) {
        diag($log);
        return;
    }

    return $so;
}


sub quoted {
    return join ' ', map { my $word = $_; $word =~ s/'/'\\''/g; "'$word'" } @_;
}


# One test: the file compiles, and all of its tests pass.
sub run {
    my ($self, $source, @directives) = @_;

    my $name = basename($source, '.c');
    $source = abs_path($source);

    my $so = $self->build($source) or return fail("$name compiles");

    my $dir = File::Temp->newdir('azora-unit-XXXXXX', TMPDIR => 1);
    my $conf = "$dir/nginx.conf";

    my $capability = join '', map {
        "load_module $self->{modules}/ngx_http_azora_${_}_module.so;\n"
    } capability($self, $source);

    open my $file, '>', $conf or die "$conf: $!\n";
    print $file <<"CONF";
load_module $self->{modules}/ngx_http_azora_module.so;
${capability}load_module $so;
daemon off;
pid $dir/nginx.pid;
error_log $dir/error.log notice;
events { }
http {
    access_log off;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
@{[map { "    $_\n" } @directives]}}
CONF
    close $file;

    local %ENV = (%ENV, %{ $self->{env} });
    # NGINX frees nothing of a configuration when it ends, and every module
    # names itself with the same variables
    $ENV{ASAN_OPTIONS} ||=
        'detect_leaks=0:detect_odr_violation=0:abort_on_error=1';

    my @lines = qx{@{[quoted($self->{nginx}, '-t', '-p', $dir,
                                '-e', "$dir/error.log", '-c', $conf)]} \\
                   2> $dir/stderr};
    my $status = $?;
    my $passed = $self->judge(\@lines, $status);

    if (!$passed) {
        diag($_) for grep { /\S/ } map { slurp("$dir/$_") }
            qw(stderr error.log);
        diag(sprintf 'NGINX ended with status %d, signal %d', $status >> 8,
             $status & 127) if $status;
    }

    unlink $so;

    return ok($passed, $name);
}


# Prints the TAP indented, as a subtest; true when it is whole and all is ok.
sub judge {
    my ($self, $lines, $status) = @_;

    my ($planned, $count, $failed) = (-1, 0, 0);

    for my $line (@$lines) {
        print "    $line";
        $planned = $1 if $line =~ /^1\.\.(\d+)/;
        $count++ if $line =~ /^(?:not )?ok\b/;
        next if $line !~ /^not ok\b/;
        $failed++;
        diag($line);
    }

    return $status == 0 && $planned > 0 && $planned == $count && !$failed;
}


sub slurp {
    my ($path) = @_;

    open my $file, '<', $path or return;
    my @lines = <$file>;
    close $file;

    return @lines;
}


1;

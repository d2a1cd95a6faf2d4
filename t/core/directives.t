# docs/DIRECTIVES.md names every directive and variable that the code has, and
# none that it does not have.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

my $root = $ENV{AZORA_ROOT} || abs_path(dirname(__FILE__) . '/../..');


sub slurp {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $!\n";
    local $/;
    return scalar <$file>;
}


my $page = slurp("$root/docs/DIRECTIVES.md");
my (%directives, %variables);

for my $file (glob "$root/ngx_azora_core/*.c $root/modules/*/*.c") {
    my $text = slurp($file);

    for my $table ($text =~ /^static ngx_command_t.*?^\};/msg) {
        $directives{$_}++ for $table =~ /ngx_string\("(azora_\w+)"\)/g;
    }

    for my $table ($text =~ /^static ngx_http_variable_t.*?^\};/msg) {
        $variables{$_}++ for $table =~ /ngx_string\("(azora_\w+)"\)/g;
    }
}

cmp_ok scalar keys %directives, '>', 15, 'there are directives';
cmp_ok scalar keys %variables, '>', 15, 'and variables';

like $page, qr/\b$_\b/, "$_ is described" for sort keys %directives;
like $page, qr/\$$_\b/, "\$$_ is described" for sort keys %variables;

my %described = map { $_ => 1 } $page =~ /^(?: {4}|### )(azora_\w+)/mg;
is_deeply [grep { !$directives{$_} } sort keys %described], [],
    'no directive is described that does not exist';

%described = map { $_ => 1 } $page =~ /\$(azora_\w+)/g;
is_deeply [grep { !$variables{$_} } sort keys %described], [],
    'nor a variable';

done_testing;

package Azora::Echo;

# An instance that also has the rows of t/core/echo.c, which answer with what
# validation made of a request.

use strict;
use warnings;

use Azora::Process qw(poll_until);
use Azora::Test;
use Azora::Unit;

my @Built;


sub start {
    my ($class, %options) = @_;

    my $so = Azora::Unit->new->build("$Azora::Test::ROOT/t/core/echo.c")
        or die "t/core/echo.c does not compile\n";

    my $azora = Azora::Test->start(%options, ready => 0,
        main => "load_module $so;\n" . ($options{main} || ''));

    # people log in through it; nothing else is needed here
    poll_until(20 * $azora->patience, sub {
        my $r = eval { $azora->get('/readyz?verbose', timeout => 5) }
            or return 0;
        return grep { $_->{name} eq 'postgres-write' && $_->{status} eq 'ok' }
            @{ $r->{json}{checks} };
    }) or die "PostgreSQL cannot be reached:\n", $azora->error_log;

    # kept until the end: a reload opens it again
    push @Built, $so;
    return $azora;
}


END {
    unlink @Built;
}


1;

#!/usr/bin/env perl

# A stream whose request cannot be freed, because a background subrequest holds
# it (NGINX's mirror module, and a mirror that does not answer), works as any.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Chronicle qw(append is_numbered);
use Azora::Events;
use Azora::Process qw(poll_until);
use Azora::Test;
use IO::Socket::INET;
use Test::More;

my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16)
    or die "no silent server: $!\n";

my $azora = Azora::Test->start(workers => 1,
    http => "azora_events_heartbeat 1s;\n", server => <<"END");
location = /v1/events { azora_api on; azora_auth optional; mirror /mirrored; }
location = /mirrored {
    internal;
    proxy_pass http://127.0.0.1:@{[$silent->sockport]};
}
END

my $long = 10 * $azora->patience;
my $amina = $azora->user('amina');
ok is_numbered($azora), 'it works';

my $events = Azora::Events->new($azora);
my @streams = map {
    $events->follow(token => $amina->{token}, once => 1,
                    query => 'last_event_id=-1')
} 1 .. 3;

sub each_has {
    my ($n) = @_;
    return $events->run($long, sub {
        return !grep { @{ $_->{events} } < $n } @streams;
    });
}

ok each_has(2), 'what was';
append($azora, $amina->{id}, 300);
ok each_has(302), 'and what happens';
ok $events->run($long, sub { $streams[0]{beats} > 1 }), 'it beats';

$events->leave($streams[0]);
ok poll_until($long, sub {
    return $azora->get('/metrics')->{body} =~ /^nexus_sse_connections 2$/m;
}), 'one that left is let go';

kill HUP => $azora->master_pid;
ok $events->run($long, sub { 2 == grep { $_->{closed} } @streams[1, 2] }),
    'a reload ends the others';
is_deeply [map { scalar @{ $_->{events} } } @streams], [302, 302, 302],
    'with what there was';

done_testing;

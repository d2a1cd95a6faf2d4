# The batch lane: after a big batch those it answered come back together.

use strict;
use warnings;

use Azora::Probe qw(together);
use Azora::Process qw(poll_until slurp);
use Azora::Test;
use Test::More;
use Time::HiRes qw(time);

my $gather = 100;
my $azora = Azora::Probe->start(workers => 1, http => <<"END");
azora_lane batch gather=${gather}ms;
END

my $n = 0;

sub items { return map { ['POST', '/probe/batch', json => { n => ++$n }] }
                   1 .. $_[0] }

sub calls { return $azora->value('SELECT last_value FROM probe.calls') }

# How long one item takes when it comes after that many.
sub alone_after {
    my ($before) = @_;
    $azora->sql('DELETE FROM probe.item');
    $n = 2000;
    my @answers = together($azora, items($before));
    is(scalar(grep { $_->{status} == 200 } @answers), $before,
       "$before items are done") if $before;

    my $begin = time;
    my $r = $azora->post('/probe/batch', json => { n => ++$n });
    return $r->{status} == 200 ? 1000 * (time - $begin) : 0;
}


# a machine may be busy, so that a batch is small or one item is late
ok(poll_until(20, sub { alone_after(150) >= 0.8 * $gather }),
   'after a big batch one waits for company');
ok(poll_until(20, sub { alone_after(0) < 0.5 * $gather }),
   'but not for ever: the next goes at once');
ok(poll_until(20, sub { alone_after(3) < 0.5 * $gather }),
   'nor does one after a small batch');

ok(poll_until(20, sub {
    alone_after(0);
    together($azora, items(150));
    my $before = calls();
    my @answers = together($azora, items(12));
    return calls() == $before + 1
           && 12 == grep { $_->{status} == 200 } @answers;
}), 'those who come in the meantime are one call');

# what is the same for all of a row, or of no use to it, is not sent with each
my $trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
my $caller = $azora->post('/probe/batch', json => { n => ++$n },
                          headers => [[traceparent => $trace]])
                   ->{json}{caller};
like(delete $caller->{traceparent}, qr/^00-0af7651916cd43dd8448eb211c80319c-/,
     'an item has its trace');
is_deeply([sort grep { defined $caller->{$_} } keys %$caller], [],
          'and nothing about the request beside it');

# what is not a time, too long a one, and a lane without batches
for my $wrong ('batch gather=101ms', 'batch gather=x', 'batch gather=-1',
               'write gather=1ms')
{
    my $file = "$azora->{dir}/wrong.conf";
    my $text = slurp("$azora->{dir}/nginx.conf");
    $text =~ s/azora_lane batch gather=\w+;/azora_lane $wrong;/ or die;
    Azora::Process::spew($file, $text);

    my $said = `@{[Azora::Test::nginx_binary()]} -t -p $azora->{dir}/ \\
                -e stderr -c $file 2>&1`;
    my ($lane, $parameter) = split / /, $wrong;
    like($said, qr/invalid parameter "\Q$parameter\E" of lane "$lane"/,
         "$wrong is refused");
}

done_testing;

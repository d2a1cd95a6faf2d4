# Accounts at their edges: two at once, what is left of somebody who is
# forgotten, and what one factor of two is worth.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/../lib";
use Azora::SQL;

my $sql = Azora::SQL->new;
my $phc = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA';
my %erase = (route => 'DELETE /v1/me');


# A session that was opened now by one factor, or by two.
sub session {
    my ($account, $acr) = @_;
    return $sql->value(q{
        INSERT INTO identity.session (id, account, expires_at, acr)
        VALUES (azora.uuid7(), ?, now() + interval '1 day', ?)
        RETURNING id}, $account, $acr // '1');
}


sub erase {
    my ($account) = @_;
    return $sql->call('identity.erase_me', as => $account,
                      in => session($account), %erase);
}


# what others were to be told at an address goes with whose it is
my $ama = $sql->register('ama');
$sql->register('kofi');
for my $name (qw(ama kofi)) {
    $sql->call('identity.forgot_password', email => "$name\@example.org");
}
$sql->{dbh}->do(q{UPDATE journal.job SET state = 'dead'
                  WHERE payload ->> 'email' = 'ama@example.org'});
is(erase($ama)->{status}, 204, 'somebody is forgotten');
is_deeply($sql->rows(q{SELECT payload ->> 'email' FROM journal.job
                       WHERE payload ->> 'email' IS NOT NULL}),
          [['kofi@example.org']], 'no mail to the address is left');

# and what they were answered before they had an account
my %esi = (email => 'esi@example.org', password => $phc, name => 'Esi');
my @register = ('identity.register', %esi, keyed => 1, key => 'esi-1',
                route => 'POST /v1/auth/register');
my $esi = $sql->call(@register)->{body}{id};
is($sql->call(@register)->{repeat}, 1, 'a repeat is answered');
$sql->call(@register, email => 'yaa@example.org', key => 'yaa-1');
is(erase($esi)->{status}, 204, 'somebody is forgotten');
is_deeply($sql->rows(q{SELECT body ->> 'email' FROM azora.idempotency}),
          [['yaa@example.org']], 'nothing tells their name and address');

done_testing();

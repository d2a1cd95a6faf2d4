#!/usr/bin/env perl

# The public log: entries get numbers, files are served as C2SP tlog-tiles,
# receipts and the whole log are checked by azora-verify, which must also find
# every change.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Azora::Chronicle qw(append audit copy_log is_numbered published verify
                        vkey_file);
use Azora::HTTP;
use Azora::Process qw(poll_until slurp spew);
use Azora::Test;
use Test::More;
use Time::HiRes qw(time);

my $azora = Azora::Test->start(workers => 2);
my $amina = $azora->user('amina');
my $badru = $azora->user('badru');
my $JSON = $Azora::HTTP::JSON;

ok is_numbered($azora), 'what people did has numbers';
my $vkey = vkey_file($azora);

subtest 'files and their headers' => sub {
    my $r = $azora->get('/chronicle/checkpoint');
    is $r->{status}, 200, 'the checkpoint is there';
    is $r->{headers}{'content-type'}, 'text/plain; charset=utf-8', 'as text';
    like $r->{headers}{'cache-control'}, qr/no-cache/, 'never stale';
    like $r->{body}, qr{\Aazora\.localhost/chronicle\n\d+\n[A-Za-z0-9+/]{43}=\n
                        \n\xe2\x80\x94[ ]azora\.localhost/chronicle[ ]
                        [A-Za-z0-9+/=]+\n\z}x, 'a signed note';

    my $size = published($azora);
    $r = $azora->get("/chronicle/tile/0/000.p/$size");
    is $r->{status}, 200, 'the partial tile';
    is length $r->{body}, 32 * $size, 'has one hash for each entry';
    is $r->{headers}{'content-type'}, 'application/octet-stream', 'as bytes';
    like $r->{headers}{'cache-control'}, qr/immutable/, 'for ever';
    is $azora->head('/chronicle/checkpoint')->{status}, 200, 'HEAD';
    is $azora->post('/chronicle/checkpoint', json => {})->{status}, 405,
        'POST is refused';

    for my $path ('', 'tile/0/000', 'tile/0/000.p/0', 'tile/0/000.p/256',
                  'tile/0/000.p/255', 'tile/0/0', 'tile/0/001.p/1',
                  'tile/1/000.p/1', 'tile/00/000.p/1', 'tile/0/x000/000.p/1',
                  'tile/0/000.p/01', 'tile/entries/000', 'tile/8/000.p/1',
                  '.lock', '.checkpoint', 'tile/0/../0/000.p/1x')
    {
        $r = $azora->get("/chronicle/$path");
        is $r->{status}, 404, "nothing is at \"$path\"";
    }
};

subtest 'receipts' => sub {
    my $page = $azora->get('/v1/me/activity', token => $amina->{token});
    is $page->{status}, 200, 'one sees what was journaled about oneself';
    my @items = @{ $page->{json}{items} };
    cmp_ok scalar @items, '>=', 1, 'there is something';

    my $file = "$azora->{dir}/receipt.json";

    for my $item (@items) {
        my $r = $azora->get("/v1/me/receipts/$item->{id}",
                            token => $amina->{token});
        is $r->{status}, 200, "a receipt of $item->{type}";
        is $r->{json}{index}, $item->{index}, 'its number';
        unlike $r->{json}{entry}, qr/$amina->{id}/, 'the log names nobody';
        spew($file, $r->{body});

        my ($status, $said) = verify('receipt', '--key', $vkey, $file);
        is $status, 0, 'it verifies' or diag $said;
        like $said, qr/^valid: .*as entry $item->{index} of \d+\.$/, 'said so';

        for my $field (qw(index entry salt payload checkpoint proof)) {
            my %wrong = %{ $r->{json} };
            $wrong{$field} = $field eq 'index' ? $wrong{index} + 1
                : $field eq 'proof' ? [@{ $wrong{proof} }, 'A' x 43 . '=']
                : $wrong{$field} =~ s/([0-9])/($1 + 1) % 10/er;
            spew($file, $JSON->encode(\%wrong));
            ($status, $said) = verify('receipt', '--key', $vkey, $file);
            is $status, 1, "not with another $field" or diag $said;
        }

        is $azora->get("/v1/me/receipts/$item->{id}",
                       token => $badru->{token})->{status}, 404,
            'another person has no such entry';
    }

    my $other = slurp($vkey) =~ s/\+(\w)/'+' . ($1 eq '0' ? 1 : 0)/er;
    is +(verify('receipt', '--key', $other, $file))[0], 2, 'a broken key';
    is +(verify('receipt', '--key', $vkey, "$file.none"))[0], 2, 'no file';
    is +(verify('receipt', $file))[0], 2, 'no key';

    is $azora->get('/v1/me/receipts/' . $amina->{id},
                   token => $amina->{token})->{status}, 404, 'no such entry';
    is $azora->get('/v1/me/receipts/' . $amina->{id})->{status}, 401,
        'not for strangers';
    is $azora->get('/v1/me/activity')->{status}, 401,
        'nor is the list';
};

subtest 'the list goes on at its cursor' => sub {
    my (%seen, $cursor);

    for (1 .. 20) {
        my $r = $azora->get('/v1/me/activity?limit=1'
            . ($cursor ? "&cursor=$cursor" : ''), token => $amina->{token});
        $seen{ $_->{id} }++ for @{ $r->{json}{items} };
        last if !($cursor = $r->{json}{next});
    }

    is scalar keys %seen, $azora->value(
        'SELECT count(*) FROM journal.payload WHERE subject = ?',
        $amina->{id}), 'all, each once';
    is $azora->get('/v1/me/activity?cursor=x',
                   token => $amina->{token})->{status}, 400,
        'a cursor of nobody is refused';
};

subtest 'not numbered yet' => sub {
    my $held = $azora->dbh;
    $held->begin_work;
    $held->do('SELECT FROM journal.tree FOR UPDATE');
    append($azora, $amina->{id}, 1);
    my $entry = $azora->value('SELECT id FROM journal.entry
                               WHERE seq IS NULL');
    my $r = $azora->get("/v1/me/receipts/$entry", token => $amina->{token});
    is $r->{status}, 409, 'no receipt';
    like $r->{json}{type}, qr/not-published$/, 'and why';
    $held->rollback;
    ok is_numbered($azora), 'then it is numbered';
    is $azora->get("/v1/me/receipts/$entry",
                   token => $amina->{token})->{status}, 200, 'a receipt';
};

for my $level ('READ COMMITTED', 'REPEATABLE READ') {
    subtest "a transaction that commits late, $level" => sub {
        my $held = $azora->dbh;
        my $before = published($azora);
        my $count = 'SELECT count(*) FROM journal.entry';
        $held->begin_work;
        $held->do("SET TRANSACTION ISOLATION LEVEL $level");
        my ($seen) = $held->selectrow_array($count);
        append($azora, $amina->{id}, 2, $held);
        append($azora, $amina->{id}, 3);
        ok poll_until(5 * $azora->patience,
                      sub { published($azora) == $before + 3 }),
            'others do not wait for it';
        append($azora, $amina->{id}, 1, $held);
        is $held->selectrow_array($count),
            $seen + 3 + ($level eq 'READ COMMITTED' ? 3 : 0),
            'whatever it saw of them';
        $held->commit;
        ok is_numbered($azora), 'its entries are not lost';
        is published($azora), $before + 6, 'they come after';
    };
}

my $old = "$azora->{dir}/old";
copy_log($azora, $old);

subtest 'many' => sub {
    my $begin = time;
    append($azora, $amina->{id}, 70_000);
    ok is_numbered($azora, 60), '70,000 entries, which fill a tile of level 1';
    note sprintf '%.1f s', time - $begin;
    is $azora->value('SELECT count(DISTINCT seq) FROM journal.entry'),
       $azora->value('SELECT max(seq) + 1 FROM journal.entry'),
       'the numbers have no gap';
    my ($status, $said) = audit($azora);
    is $status, 0, 'the log is whole' or diag $said;
    is length $azora->get('/chronicle/tile/1/000')->{body}, 8192,
        'the full tile of level 1';
    is $azora->get('/chronicle/tile/0/000')->{headers}{'content-length'},
        8192, 'a full tile';
    is $azora->get('/chronicle/tile/0/000.p/255')->{status}, 200,
        'whose beginning stays';
};

subtest 'a copy over HTTP' => sub {
    my $copy = "$azora->{dir}/copy";
    my @paths = copy_log($azora, $copy);
    my ($status, $said) = verify('log', '--key', $vkey, '--remembered',
                                 "$old/checkpoint", $copy);
    is $status, 0, 'grows out of the remembered one' or diag $said;
    like $said, qr/^valid: all \d+ entries .* and the remembered one\.$/,
        'said so';
    is +(verify('log', '--key', $vkey, '--remembered', "$copy/checkpoint",
                $old))[0], 1, 'a log that went back is not valid';

    my $unnoticed = 0;

    # the first ones, some between, and all of the upper levels
    for my $path (@paths[0 .. 3], $paths[150], $paths[-120],
                  grep { m{^tile/[12]/|\.p/} } @paths)
    {
        my $bytes = slurp("$copy/$path");
        my $at = int rand length $bytes;
        my $wrong = $bytes;
        substr($wrong, $at, 1) ^= chr(1 << int rand 8);
        spew("$copy/$path", $wrong);
        ($status, $said) = verify('log', '--key', $vkey, $copy);
        $status == 1 or $unnoticed++, diag "$path at $at: $status $said";
        spew("$copy/$path", $bytes);
    }

    is $unnoticed, 0, 'one changed bit in any file is found';
    is +(verify('log', '--key', $vkey, $copy))[0], 0, 'put right again';

    unlink "$copy/$paths[40]";
    is +(verify('log', '--key', $vkey, $copy))[0], 1, 'so is a missing file';
};

subtest 'somebody is forgotten' => sub {
    my $entry = $azora->value('SELECT entry FROM journal.payload
                               WHERE subject = ? LIMIT 1', $badru->{id});
    $azora->sql('DELETE FROM journal.payload WHERE subject = ?',
                $badru->{id});
    my ($status, $said) = audit($azora, '--remembered', "$old/checkpoint");
    is $status, 0, 'the log stays valid' or diag $said;
    is $azora->get("/v1/me/receipts/$entry",
                   token => $badru->{token})->{status}, 404,
        'there is nothing left to open the hash';
};

my $metrics = $azora->get('/metrics')->{body};
my $size = published($azora);
like $metrics, qr/^chronicle_tree_size $size$/m, 'the size as a metric';
like $metrics, qr/^chronicle_pending_entries 0$/m, 'nothing waits';
my ($at) = $metrics =~ /^chronicle_checkpoint_timestamp_seconds (\d+)$/m;
cmp_ok abs(($at || 0) - time), '<', 60 * $azora->patience,
    'when it was signed';

is sprintf('%o', (stat "$azora->{dir}/keys/chronicle.key")[2] & 0777), '600',
    'the key is its owner\'s only';
unlike $azora->error_log, qr/PRIVATE\+KEY/, 'and in no log';

done_testing;


/*
 * The public log's tree against RFC 6962's published vectors and a tree that
 * is computed as the RFC defines it; paths of tiles; keys and signed notes
 * against the published example of Go's note package.
 */


#include "ngx_azora_test.h"
#include "azora_tlog.h"

#include <sodium.h>


#define LEAVES   1100


static azora_tlog_hash_t  leaves[LEAVES];
static azora_tlog_hash_t  tiles[3][LEAVES];


static int
keep(void *data, unsigned level, uint64_t index, const azora_tlog_hash_t *hash)
{
    if (level > 2 || index >= LEAVES) {
        return -1;
    }

    tiles[level][index] = *hash;

    return 0;
}


static int
source(void *data, unsigned level, uint64_t index, azora_tlog_hash_t *hash)
{
    uint64_t  size = *(uint64_t *) data;

    if (level > 2 || index >= azora_tlog_level_size(size, level)) {
        return -1;
    }

    *hash = tiles[level][index];

    return 0;
}


/* MTH as section 2.1 of RFC 6962 has it */

static void
naive(const azora_tlog_hash_t *list, size_t n, azora_tlog_hash_t *root)
{
    size_t             k;
    azora_tlog_hash_t  left, right;

    if (n == 1) {
        *root = *list;
        return;
    }

    for (k = 1; k * 2 < n; k *= 2) { /* void */ }

    naive(list, k, &left);
    naive(list + k, n - k, &right);
    azora_tlog_node(root, &left, &right);
}


static ngx_uint_t
is_hex(const azora_tlog_hash_t *hash, const char *expected, const char *name)
{
    char       hex[65];
    ngx_str_t  got;

    sodium_bin2hex(hex, sizeof(hex), hash->bytes, sizeof(hash->bytes));
    got.data = (u_char *) hex;
    got.len = 64;

    return is_str(&got, expected, name);
}


static void
vectors(void)
{
    size_t             i, len;
    uint8_t            entry[32];
    azora_tlog_hash_t  hash;
    azora_tlog_tree_t  tree;

    static const char *const  entries[] = {
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f"
    };

    static const char *const  roots[] = {
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    };

    azora_tlog_init(&tree);
    azora_tlog_root(&tree, &hash);
    is_hex(&hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b"
                  "7852b855", "the root of no leaves");

    for (i = 0; i < 8; i++) {
        sodium_hex2bin(entry, sizeof(entry), entries[i], strlen(entries[i]),
                       NULL, &len, NULL);
        azora_tlog_leaf(&hash, entry, len);
        azora_tlog_append(&tree, &hash, NULL, NULL);
        azora_tlog_root(&tree, &hash);
        is_hex(&hash, roots[i], "a root of the RFC's test tree");
    }
}


static void
trees(void)
{
    int                n, wrong_roots, wrong_proofs, false_proofs;
    uint64_t           size, i;
    azora_tlog_hash_t  root, expected, proof[AZORA_TLOG_PROOF_MAX];

    static azora_tlog_tree_t  tree;

    azora_tlog_init(&tree);
    wrong_roots = wrong_proofs = false_proofs = 0;

    for (size = 1; size <= LEAVES; size++) {
        azora_tlog_leaf(&leaves[size - 1], &size, sizeof(size));
        azora_tlog_append(&tree, &leaves[size - 1], keep, NULL);
        azora_tlog_root(&tree, &root);
        naive(leaves, size, &expected);
        wrong_roots += (memcmp(&root, &expected, sizeof(root)) != 0);

        for (i = size % 7; i < size; i += 1 + size / 11) {
            n = azora_tlog_inclusion(i, size, source, &size, proof);

            wrong_proofs += (n < 0
                || azora_tlog_verify_inclusion(i, size, &leaves[i], proof, n,
                                               &root)
                   != 0);

            if (n > 0) {
                proof[i % n].bytes[i % 32] ^= 1;
                false_proofs +=
                    (azora_tlog_verify_inclusion(i, size, &leaves[i], proof,
                                                 n, &root)
                     == 0);
                proof[i % n].bytes[i % 32] ^= 1;
                false_proofs +=
                    (azora_tlog_verify_inclusion(i, size, &leaves[i], proof,
                                                 n - 1, &root)
                     == 0)
                    + (azora_tlog_verify_inclusion(i ^ 1, size, &leaves[i],
                                                   proof, n, &root)
                       == 0);
            }
        }
    }

    is_int(wrong_roots, 0, "1100 roots are those of the definition");
    is_int(wrong_proofs, 0, "proofs out of the tiles lead to the roots");
    is_int(false_proofs, 0, "changed, shortened or misplaced ones do not");
    size = LEAVES;
    is_int(azora_tlog_inclusion(LEAVES, size, source, &size, proof), -1,
           "no proof of what is not there");
}


static void
paths(void)
{
    int        level;
    char       path[AZORA_TLOG_PATH_MAX];
    size_t     i;
    uint64_t   index;
    unsigned   width;
    ngx_str_t  got;

    static const struct {
        int          level;
        uint64_t     index;
        unsigned     width;
        const char  *path;
    } good[] = {
        { 0, 0, 256, "tile/0/000" },
        { 0, 999, 1, "tile/0/999.p/1" },
        { -1, 1000, 255, "tile/entries/x001/000.p/255" },
        { 3, 1234067, 256, "tile/3/x001/x234/067" },
        { 7, 72057594037927935ULL, 256,
          "tile/7/x072/x057/x594/x037/x927/935" }
    };

    static const char *const  bad[] = {
        "", "tile/", "tile/0/", "tile/8/000", "tile/-1/000", "tile/0/0",
        "tile/0/0000", "tile/0/x000/000", "tile/0/001/000", "tile/0/x001",
        "tile/0/000/", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/256",
        "tile/0/000.p/01", "tile/0/000.p/1/", "tile/0/000.p/1.p/1",
        "tile/entries/", "tile/data/000", "tile/0/../000", "tile/0/00a",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999", "Tile/0/000"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        azora_tlog_path(path, good[i].level, good[i].index, good[i].width);
        got.data = (u_char *) path;
        got.len = strlen(path);
        is_str(&got, good[i].path, good[i].path);

        ok(azora_tlog_path_parse(good[i].path, strlen(good[i].path), &level,
                                 &index, &width)
           == 0
           && level == good[i].level && index == good[i].index
           && width == good[i].width, "%s read back", good[i].path);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(azora_tlog_path_parse(bad[i], strlen(bad[i]), &level, &index,
                                 &width)
           != 0, "no tile is at \"%s\"", bad[i]);
    }
}


static void
notes(void)
{
    char                      buf[AZORA_TLOG_NOTE_MAX];
    char                      note[AZORA_TLOG_NOTE_MAX];
    size_t                    i, len, accepted;
    ngx_str_t                 got;
    const char               *reason;
    azora_tlog_key_t          key, other;
    azora_tlog_checkpoint_t   checkpoint, opened;

    static const char  skey[] = "PRIVATE+KEY+PeterNeumann+c74f20a3+"
        "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    static const char  vkey[] = "PeterNeumann+c74f20a3+"
        "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    is_int(azora_tlog_skey_parse(&key, skey, strlen(skey)), 0,
           "Go's example of a signing key");
    azora_tlog_vkey_print(&key, buf);
    got.data = (u_char *) buf;
    got.len = strlen(buf);
    is_str(&got, vkey, "has Go's verifier key");
    azora_tlog_skey_print(&key, buf);
    got.len = strlen(buf);
    is_str(&got, skey, "and is printed as it was read");
    is_int(azora_tlog_vkey_parse(&other, vkey, strlen(vkey)), 0,
           "the verifier key is read");
    is_int(azora_tlog_skey_parse(&other, vkey, strlen(vkey)), -1,
           "it is no signing key");

    ngx_memzero(&checkpoint, sizeof(checkpoint));
    strcpy(checkpoint.origin, key.name);
    checkpoint.size = 20852163;
    randombytes_buf(&checkpoint.root, sizeof(checkpoint.root));
    len = azora_tlog_note_sign(&key, &checkpoint, note);

    azora_tlog_vkey_parse(&other, vkey, strlen(vkey));
    is_int(azora_tlog_note_open(&other, note, len, &opened, &reason), 0,
           "a note is opened with the verifier key");
    ok(opened.size == checkpoint.size
       && memcmp(&opened.root, &checkpoint.root, 32) == 0,
       "and says what was signed");

    accepted = 0;

    for (i = 0; i < len; i++) {
        note[i] ^= 1;
        accepted += azora_tlog_note_open(&other, note, len, &opened, &reason)
                    == 0;
        note[i] ^= 1;

        accepted += azora_tlog_note_open(&other, note, i, &opened, &reason)
                    == 0;
    }

    is_int(accepted, 0, "no changed bit and no shortened note is accepted");

    azora_tlog_key_make(&other, key.name, NULL);
    is_int(azora_tlog_note_open(&other, note, len, &opened, &reason), -1,
           "nor another key of the same name");
    is_int(azora_tlog_key_make(&other, "with blank", NULL), -1,
           "a name has no blanks");
    is_int(azora_tlog_key_make(&other, "", NULL), -1, "and is not empty");
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    vectors();
    trees();
    paths();
    notes();
}

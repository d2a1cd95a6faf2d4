
/* The tree: hashes, the right edge, tiles' paths and inclusion proofs. */


#define _GNU_SOURCE    /* memmem() */

#include "azora_tlog.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>


/* A source that reads one perfect subtree after another out of tiles. */
typedef struct {
    azora_tlog_source_pt  source;
    void                 *data;
} azora_tlog_reader_t;


static void azora_tlog_fold(azora_tlog_hash_t *hash,
    const azora_tlog_hash_t *hashes, unsigned n);
static int azora_tlog_subtree(azora_tlog_reader_t *reader, uint64_t first,
    unsigned height, azora_tlog_hash_t *hash);
static int azora_tlog_range(azora_tlog_reader_t *reader, uint64_t first,
    uint64_t n, azora_tlog_hash_t *hash);
static uint64_t azora_tlog_split(uint64_t n);
static int azora_tlog_path_index(const char *path, size_t len,
    uint64_t *index);


void
azora_tlog_leaf(azora_tlog_hash_t *hash, const void *entry, size_t len)
{
    crypto_hash_sha256_state  state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *) "\0", 1);
    crypto_hash_sha256_update(&state, entry, len);
    crypto_hash_sha256_final(&state, hash->bytes);
}


void
azora_tlog_node(azora_tlog_hash_t *hash, const azora_tlog_hash_t *left,
    const azora_tlog_hash_t *right)
{
    uint8_t  bytes[1 + 2 * AZORA_TLOG_HASH];

    bytes[0] = 1;
    memcpy(bytes + 1, left->bytes, AZORA_TLOG_HASH);
    memcpy(bytes + 1 + AZORA_TLOG_HASH, right->bytes, AZORA_TLOG_HASH);

    crypto_hash_sha256(hash->bytes, bytes, sizeof(bytes));
}


void
azora_tlog_init(azora_tlog_tree_t *tree)
{
    memset(tree, 0, sizeof(*tree));
}


int
azora_tlog_append(azora_tlog_tree_t *tree, const azora_tlog_hash_t *leaf,
    azora_tlog_sink_pt sink, void *data)
{
    uint64_t           index;
    unsigned           level;
    azora_tlog_hash_t  hash;

    hash = *leaf;
    index = tree->size;

    for (level = 0; level < AZORA_TLOG_LEVELS; level++) {

        if (sink != NULL && sink(data, level, index, &hash) != 0) {
            return -1;
        }

        tree->edge[level][index % AZORA_TLOG_TILE] = hash;

        if (index % AZORA_TLOG_TILE != AZORA_TLOG_TILE - 1) {
            break;
        }

        /* the tile is full: its root is a hash of the level above */

        azora_tlog_fold(&hash, tree->edge[level], AZORA_TLOG_TILE);
        index /= AZORA_TLOG_TILE;
    }

    tree->size++;

    return 0;
}


/* The root of a perfect tree over n hashes, n a power of two up to 256. */

static void
azora_tlog_fold(azora_tlog_hash_t *hash, const azora_tlog_hash_t *hashes,
    unsigned n)
{
    unsigned           i;
    azora_tlog_hash_t  row[AZORA_TLOG_TILE];

    memcpy(row, hashes, n * sizeof(azora_tlog_hash_t));

    for ( /* void */ ; n > 1; n /= 2) {
        for (i = 0; i < n / 2; i++) {
            azora_tlog_node(&row[i], &row[2 * i], &row[2 * i + 1]);
        }
    }

    *hash = row[0];
}


/*
 * The leaves fall into perfect subtrees, one for each bit of the size; from
 * the smallest, which is the rightmost, each is joined with the next larger.
 */

void
azora_tlog_root(const azora_tlog_tree_t *tree, azora_tlog_hash_t *root)
{
    int                found;
    unsigned           level, bit, count, first;
    azora_tlog_hash_t  subtree;

    if (tree->size == 0) {
        crypto_hash_sha256(root->bytes, NULL, 0);
        return;
    }

    found = 0;

    for (level = 0; level < AZORA_TLOG_LEVELS; level++) {
        count = azora_tlog_level_size(tree->size, level) % AZORA_TLOG_TILE;

        for (bit = 1; bit < AZORA_TLOG_TILE; bit *= 2) {

            if (!(count & bit)) {
                continue;
            }

            first = count & ~(2 * bit - 1);
            azora_tlog_fold(&subtree, &tree->edge[level][first], bit);

            if (found) {
                azora_tlog_node(root, &subtree, root);

            } else {
                *root = subtree;
                found = 1;
            }
        }
    }
}


uint64_t
azora_tlog_level_size(uint64_t size, unsigned level)
{
    return (level >= AZORA_TLOG_LEVELS) ? 0 : size >> (8 * level);
}


void
azora_tlog_path(char *path, int level, uint64_t index, unsigned width)
{
    int       n, groups;
    char      name[32];
    uint64_t  rest;

    n = snprintf(path, AZORA_TLOG_PATH_MAX,
                 level < 0 ? "tile/entries/" : "tile/%d/", level);

    groups = 1;

    for (rest = index / 1000; rest; rest /= 1000) {
        groups++;
    }

    while (groups-- > 0) {
        uint64_t  unit = 1;

        for (int i = 0; i < groups; i++) {
            unit *= 1000;
        }

        snprintf(name, sizeof(name), groups ? "x%03u/" : "%03u",
                 (unsigned) (index / unit % 1000));
        n += snprintf(path + n, AZORA_TLOG_PATH_MAX - n, "%s", name);
    }

    if (width != AZORA_TLOG_TILE) {
        snprintf(path + n, AZORA_TLOG_PATH_MAX - n, ".p/%u", width);
    }
}


int
azora_tlog_path_parse(const char *path, size_t len, int *level,
    uint64_t *index, unsigned *width)
{
    char         own[AZORA_TLOG_PATH_MAX];
    size_t       i, end;
    const char  *partial;

    if (len >= AZORA_TLOG_PATH_MAX) {
        return -1;
    }

    if (len > 13 && memcmp(path, "tile/entries/", 13) == 0) {
        *level = -1;
        i = 13;

    } else if (len > 7 && memcmp(path, "tile/", 5) == 0
               && path[5] >= '0' && path[5] < '0' + AZORA_TLOG_LEVELS
               && path[6] == '/')
    {
        *level = path[5] - '0';
        i = 7;

    } else {
        return -1;
    }

    end = len;
    *width = AZORA_TLOG_TILE;

    partial = memmem(path, len, ".p/", 3);

    if (partial != NULL) {
        end = partial - path;
        *width = 0;

        for (partial += 3; partial < path + len; partial++) {
            if (*partial < '0' || *partial > '9' || *width > 25) {
                return -1;
            }
            *width = *width * 10 + (*partial - '0');
        }

        if (*width == 0 || *width >= AZORA_TLOG_TILE) {
            return -1;
        }
    }

    if (azora_tlog_path_index(path + i, end - i, index) != 0) {
        return -1;
    }

    /* one spelling only: what is printed again must be the same */

    azora_tlog_path(own, *level, *index, *width);

    return (strlen(own) == len && memcmp(own, path, len) == 0) ? 0 : -1;
}


static int
azora_tlog_path_index(const char *path, size_t len, uint64_t *index)
{
    size_t  i;

    *index = 0;

    for (i = 0; i < len; i++) {

        if (path[i] == 'x' || path[i] == '/') {
            continue;
        }

        if (path[i] < '0' || path[i] > '9' || *index > UINT64_MAX / 10 - 9) {
            return -1;
        }

        *index = *index * 10 + (path[i] - '0');
    }

    return len ? 0 : -1;
}


/* The root of 2^height leaves from first on, which must be aligned. */

static int
azora_tlog_subtree(azora_tlog_reader_t *reader, uint64_t first,
    unsigned height, azora_tlog_hash_t *hash)
{
    unsigned           i, n, level;
    azora_tlog_hash_t  row[AZORA_TLOG_TILE];

    level = height / 8;
    n = 1u << (height % 8);

    for (i = 0; i < n; i++) {
        if (reader->source(reader->data, level, (first >> (8 * level)) + i,
                           &row[i])
            != 0)
        {
            return -1;
        }
    }

    azora_tlog_fold(hash, row, n);

    return 0;
}


/* MTH of n leaves from first on, first a multiple of what n is split by. */

static int
azora_tlog_range(azora_tlog_reader_t *reader, uint64_t first, uint64_t n,
    azora_tlog_hash_t *hash)
{
    uint64_t           k;
    azora_tlog_hash_t  left, right;

    if ((n & (n - 1)) == 0) {
        return azora_tlog_subtree(reader, first, __builtin_ctzll(n), hash);
    }

    k = azora_tlog_split(n);

    /* depth is bounded by the 64 bits of n */

    if (azora_tlog_range(reader, first, k, &left) != 0
        || azora_tlog_range(reader, first + k, n - k, &right) != 0)
    {
        return -1;
    }

    azora_tlog_node(hash, &left, &right);

    return 0;
}


/* The largest power of two smaller than n, n > 1 (RFC 6962, 2.1). */

static uint64_t
azora_tlog_split(uint64_t n)
{
    return 1ULL << (63 - __builtin_clzll(n - 1));
}


int
azora_tlog_inclusion(uint64_t index, uint64_t size,
    azora_tlog_source_pt source, void *data,
    azora_tlog_hash_t proof[AZORA_TLOG_PROOF_MAX])
{
    int                  n, i;
    uint64_t             first, k;
    azora_tlog_hash_t    found[AZORA_TLOG_PROOF_MAX];
    azora_tlog_reader_t  reader;

    if (index >= size) {
        return -1;
    }

    reader.source = source;
    reader.data = data;
    first = 0;
    n = 0;

    /* from the root down; the proof is read from the leaf up */

    while (size > 1) {
        k = azora_tlog_split(size);

        if (index < k) {
            if (azora_tlog_range(&reader, first + k, size - k, &found[n])
                != 0)
            {
                return -1;
            }
            size = k;

        } else {
            if (azora_tlog_range(&reader, first, k, &found[n]) != 0) {
                return -1;
            }
            first += k;
            index -= k;
            size -= k;
        }

        n++;
    }

    for (i = 0; i < n; i++) {
        proof[i] = found[n - 1 - i];
    }

    return n;
}


int
azora_tlog_verify_inclusion(uint64_t index, uint64_t size,
    const azora_tlog_hash_t *leaf, const azora_tlog_hash_t *proof, size_t n,
    const azora_tlog_hash_t *root)
{
    size_t             i;
    uint64_t           fn, sn;
    azora_tlog_hash_t  hash;

    if (index >= size) {
        return -1;
    }

    hash = *leaf;
    fn = index;
    sn = size - 1;

    for (i = 0; i < n; i++) {

        if (sn == 0) {
            return -1;
        }

        if ((fn & 1) || fn == sn) {
            azora_tlog_node(&hash, &proof[i], &hash);

            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }

        } else {
            azora_tlog_node(&hash, &hash, &proof[i]);
        }

        fn >>= 1;
        sn >>= 1;
    }

    return (sn == 0 && memcmp(&hash, root, sizeof(hash)) == 0) ? 0 : -1;
}


/*
 * A transparency log's tree: hashes, tiles, proofs and checkpoints.
 *
 * RFC 6962, section 2 (hashes and proofs); C2SP tlog-tiles, tlog-checkpoint and
 * signed-note.  No NGINX in here: the server and bin/azora-verify share it, so
 * that what is served and what is checked cannot drift apart unnoticed.
 */


#ifndef _AZORA_TLOG_H_INCLUDED_
#define _AZORA_TLOG_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>


#define AZORA_TLOG_HASH          32
#define AZORA_TLOG_TILE          256      /* hashes in a full tile */
#define AZORA_TLOG_LEVELS        8        /* 256^8 = 2^64 leaves */
#define AZORA_TLOG_PROOF_MAX     64       /* hashes in a proof */
#define AZORA_TLOG_PATH_MAX      64       /* "tile/0/x001/x234/067.p/255" */
#define AZORA_TLOG_ENTRY_MAX     65535    /* a uint16 says the length */
#define AZORA_TLOG_NAME_MAX      128
#define AZORA_TLOG_NOTE_MAX      1024


typedef struct {
    uint8_t   bytes[AZORA_TLOG_HASH];
} azora_tlog_hash_t;


/*
 * The right edge: at each level the hashes of the tile that is not full, which
 * is all one needs to append and to compute the root.
 */
typedef struct {
    uint64_t           size;              /* leaves */
    uint64_t           bundle;            /* bytes of the entries in the
                                             bundle that is not full */
    azora_tlog_hash_t  edge[AZORA_TLOG_LEVELS][AZORA_TLOG_TILE];
} azora_tlog_tree_t;


/*
 * Called for each hash that a tile gains, in order; index counts the hashes of
 * the level.  Returns 0, or -1 to stop.
 */
typedef int (*azora_tlog_sink_pt)(void *data, unsigned level, uint64_t index,
    const azora_tlog_hash_t *hash);

/* SHA-256(0x00 || entry), RFC 6962 */
void azora_tlog_leaf(azora_tlog_hash_t *hash, const void *entry, size_t len);

/* SHA-256(0x01 || left || right), RFC 6962 */
void azora_tlog_node(azora_tlog_hash_t *hash, const azora_tlog_hash_t *left,
    const azora_tlog_hash_t *right);

/* An empty tree. */
void azora_tlog_init(azora_tlog_tree_t *tree);

/* Appends a leaf; sink may be NULL.  0, or -1 when sink said so. */
int azora_tlog_append(azora_tlog_tree_t *tree, const azora_tlog_hash_t *leaf,
    azora_tlog_sink_pt sink, void *data);

/* The root; of an empty tree SHA-256(""). */
void azora_tlog_root(const azora_tlog_tree_t *tree, azora_tlog_hash_t *root);

/* Hashes of the level's tiles for a tree of this size. */
uint64_t azora_tlog_level_size(uint64_t size, unsigned level);

/*
 * "tile/<level>/<index>", level -1 for entries; with ".p/<width>" when width is
 * less than a full tile.  path holds AZORA_TLOG_PATH_MAX bytes.
 */
void azora_tlog_path(char *path, int level, uint64_t index, unsigned width);

/*
 * The reverse, strictly: 0, or -1 when it is no canonical path of a tile.
 */
int azora_tlog_path_parse(const char *path, size_t len, int *level,
    uint64_t *index, unsigned *width);


/*
 * Gives the hash `index` of a level's tiles.  0, or -1 when it cannot be read.
 */
typedef int (*azora_tlog_source_pt)(void *data, unsigned level, uint64_t index,
    azora_tlog_hash_t *hash);

/*
 * Inclusion of leaf `index` in a tree of `size` leaves (RFC 6962, 2.1.1).
 * Returns the number of hashes in proof, or -1.
 */
int azora_tlog_inclusion(uint64_t index, uint64_t size,
    azora_tlog_source_pt source, void *data,
    azora_tlog_hash_t proof[AZORA_TLOG_PROOF_MAX]);

/* 0 when the proof leads from the leaf to the root (RFC 9162, 2.1.3.2). */
int azora_tlog_verify_inclusion(uint64_t index, uint64_t size,
    const azora_tlog_hash_t *leaf, const azora_tlog_hash_t *proof, size_t n,
    const azora_tlog_hash_t *root);


/* A checkpoint: what the signed note says. */
typedef struct {
    char               origin[AZORA_TLOG_NAME_MAX + 1];
    uint64_t           size;
    azora_tlog_hash_t  root;
} azora_tlog_checkpoint_t;

/* An Ed25519 key under a name, which is the log's origin. */
typedef struct {
    char               name[AZORA_TLOG_NAME_MAX + 1];
    uint8_t            id[4];
    uint8_t            public_key[32];
    uint8_t            secret_key[64];    /* zeros in a verifier's */
} azora_tlog_key_t;

/*
 * Makes a key of a seed of 32 bytes; seed NULL: a random one.  0, or -1 when
 * the name is empty, too long or has blanks or '+'.
 */
int azora_tlog_key_make(azora_tlog_key_t *key, const char *name,
    const uint8_t *seed);

/* "name+hex8+base64(0x01 || public key)"; buf: AZORA_TLOG_NOTE_MAX bytes */
void azora_tlog_vkey_print(const azora_tlog_key_t *key, char *buf);
int azora_tlog_vkey_parse(azora_tlog_key_t *key, const char *text, size_t len);

/* "PRIVATE+KEY+name+hex8+base64(0x01 || seed)", Go's note format */
void azora_tlog_skey_print(const azora_tlog_key_t *key, char *buf);
int azora_tlog_skey_parse(azora_tlog_key_t *key, const char *text, size_t len);

/* Writes the signed note; returns its length. */
size_t azora_tlog_note_sign(const azora_tlog_key_t *key,
    const azora_tlog_checkpoint_t *checkpoint, char buf[AZORA_TLOG_NOTE_MAX]);

/*
 * Reads a note that this key must have signed; other signatures are passed
 * over.  0, or -1: *reason is a static sentence.
 */
int azora_tlog_note_open(const azora_tlog_key_t *key, const char *note,
    size_t len, azora_tlog_checkpoint_t *checkpoint, const char **reason);


/*
 * Entries on their way into the files of a log: tiles and entry bundles only
 * ever grow, each byte has its place, so that storing a batch twice is the
 * same as once.
 */
typedef struct {
    unsigned           level;
    uint64_t           index;
    azora_tlog_hash_t  hash;
} azora_tlog_gain_t;

typedef struct {
    uint64_t           base;              /* number of the first entry */
    uint64_t           bundle;            /* tree's, before the first */
    size_t             n;                 /* entries */
    uint8_t           *bytes;             /* uint16 length and entry, each */
    size_t             len;
    size_t             max;
    azora_tlog_gain_t *gains;
    size_t             ngains;
    size_t             gains_max;
    char               checkpoint[AZORA_TLOG_NOTE_MAX];   /* may be empty */
    size_t             checkpoint_len;
} azora_tlog_batch_t;

/* Begins a batch on a tree; the batch owns memory until _free. */
void azora_tlog_batch_init(azora_tlog_batch_t *batch,
    const azora_tlog_tree_t *tree);
void azora_tlog_batch_free(azora_tlog_batch_t *batch);

/* Appends an entry to the tree and the batch; 0, or -1: too long, no memory. */
int azora_tlog_batch_add(azora_tlog_batch_t *batch, azora_tlog_tree_t *tree,
    const void *entry, size_t len);

/*
 * Stores the batch under a directory and, when it has one, publishes its
 * checkpoint last; durable when it returns.  Blocks: for threads and tools.
 * 0, or an errno with the path that failed in path.
 */
int azora_tlog_batch_store(const azora_tlog_batch_t *batch, const char *dir,
    char *path, size_t max);

/*
 * Reads the first width hashes of a tile, or width entries of a bundle (level
 * -1), into buf.  Returns the bytes, or -1 with errno (ENOENT also when the
 * file is shorter).
 */
ssize_t azora_tlog_read_tile(const char *dir, int level, uint64_t index,
    unsigned width, uint8_t *buf, size_t max);

/*
 * Bytes of the first width hashes or entries in the n bytes of a tile; more
 * than n when they are not all there.
 */
size_t azora_tlog_tile_end(int level, unsigned width, const uint8_t *buf,
    size_t n);

/* The published checkpoint's length in note, 0 when there is none. */
size_t azora_tlog_read_checkpoint(const char *dir,
    char note[AZORA_TLOG_NOTE_MAX]);

/*
 * Reads the published checkpoint and rebuilds the right edge; an empty
 * directory is an empty log.  0, or -1 and *reason, a static sentence.
 */
int azora_tlog_load(azora_tlog_tree_t *tree, const azora_tlog_key_t *key,
    const char *dir, char note[AZORA_TLOG_NOTE_MAX], const char **reason);


#endif /* _AZORA_TLOG_H_INCLUDED_ */

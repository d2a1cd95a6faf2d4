
/* A log's files: every entry, every hash of every tile, every root. */


#include "azora_verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define AZORA_VERIFY_PATH_MAX  4096
#define AZORA_VERIFY_BUNDLE    (AZORA_TLOG_TILE * (2 + AZORA_TLOG_ENTRY_MAX))


/* A walk over all entries; the tiles are compared as the tree grows. */
typedef struct {
    const char               *dir;
    azora_tlog_checkpoint_t   checkpoint;
    azora_tlog_checkpoint_t   remembered;
    int                       has_remembered;
    azora_tlog_tree_t         tree;
    azora_tlog_hash_t         tiles[AZORA_TLOG_LEVELS][AZORA_TLOG_TILE];
    int                       status;
} azora_verify_log_t;


static int azora_verify_note(const azora_verify_keys_t *keys, const char *path,
    azora_tlog_checkpoint_t *checkpoint);
static int azora_verify_walk(azora_verify_log_t *log);
static int azora_verify_bundle(azora_verify_log_t *log, uint8_t *bytes);
static int azora_verify_past(azora_verify_log_t *log);
static int azora_verify_gain(void *data, unsigned level, uint64_t index,
    const azora_tlog_hash_t *hash);
static ssize_t azora_verify_tile(azora_verify_log_t *log, int level,
    uint64_t index, unsigned width, uint8_t *buf, size_t max);


int
azora_verify_log(const azora_verify_keys_t *keys, const char *dir,
    const char *remembered)
{
    int                  status;
    char                 path[AZORA_VERIFY_PATH_MAX];
    azora_verify_log_t  *log;

    if (snprintf(path, sizeof(path), "%s/checkpoint", dir)
        >= (int) sizeof(path))
    {
        return azora_verify_say(AZORA_VERIFY_UNKNOWN, "the name of the "
                                "directory is too long");
    }

    log = calloc(1, sizeof(azora_verify_log_t));
    if (log == NULL) {
        return azora_verify_say(AZORA_VERIFY_UNKNOWN, "no memory");
    }

    log->dir = dir;
    log->has_remembered = (remembered != NULL);

    status = azora_verify_note(keys, path, &log->checkpoint);

    if (status == 0 && remembered != NULL) {
        status = azora_verify_note(keys, remembered, &log->remembered);
    }

    if (status == 0 && log->remembered.size > log->checkpoint.size) {
        status = azora_verify_say(AZORA_VERIFY_BROKEN, "the log has %" PRIu64
                                  " entries, the remembered checkpoint %"
                                  PRIu64, log->checkpoint.size,
                                  log->remembered.size);
    }

    if (status == 0) {
        status = azora_verify_walk(log);
    }

    if (status == 0) {
        status = azora_verify_say(AZORA_VERIFY_HOLDS, "all %" PRIu64
                                  " entries and tiles of %s make its signed "
                                  "root%s", log->checkpoint.size,
                                  log->checkpoint.origin,
                                  remembered ? " and the remembered one"
                                             : "");
    }

    free(log);

    return status;
}


static int
azora_verify_note(const azora_verify_keys_t *keys, const char *path,
    azora_tlog_checkpoint_t *checkpoint)
{
    int          rc;
    char        *text;
    size_t       len;
    const char  *reason;

    text = azora_verify_read(path, &len);
    if (text == NULL) {
        return azora_verify_say(AZORA_VERIFY_UNKNOWN, "\"%s\": %s", path,
                                strerror(errno));
    }

    rc = azora_verify_open(keys, text, len, checkpoint, &reason);
    free(text);

    return rc == 0 ? 0
                   : azora_verify_say(AZORA_VERIFY_BROKEN, "\"%s\" is not to "
                                      "be trusted: %s", path, reason);
}


static int
azora_verify_walk(azora_verify_log_t *log)
{
    int                 status;
    uint8_t            *bytes;
    azora_tlog_hash_t   root;

    bytes = malloc(AZORA_VERIFY_BUNDLE);
    if (bytes == NULL) {
        return azora_verify_say(AZORA_VERIFY_UNKNOWN, "no memory");
    }

    azora_tlog_init(&log->tree);
    status = azora_verify_past(log);

    while (status == 0 && log->tree.size < log->checkpoint.size) {
        status = azora_verify_bundle(log, bytes);
    }

    free(bytes);

    if (status != 0) {
        return status;
    }

    azora_tlog_root(&log->tree, &root);

    if (memcmp(&root, &log->checkpoint.root, sizeof(root)) != 0) {
        return azora_verify_say(AZORA_VERIFY_BROKEN, "the entries do not "
                                "make the root that was signed");
    }

    return 0;
}


static int
azora_verify_bundle(azora_verify_log_t *log, uint8_t *bytes)
{
    size_t         len;
    ssize_t        n;
    uint64_t       left, tile;
    unsigned       width, i;
    const uint8_t *p;

    tile = log->tree.size / AZORA_TLOG_TILE;
    left = log->checkpoint.size - log->tree.size;
    width = left < AZORA_TLOG_TILE ? left : AZORA_TLOG_TILE;

    n = azora_verify_tile(log, -1, tile, width, bytes, AZORA_VERIFY_BUNDLE);
    if (n < 0) {
        return log->status;
    }

    /* the reader saw to it that width entries are there */

    for (p = bytes, i = 0; i < width; i++, p += 2 + len) {
        azora_tlog_hash_t  leaf;

        len = ((size_t) p[0] << 8) + p[1];
        azora_tlog_leaf(&leaf, p + 2, len);

        if (azora_tlog_append(&log->tree, &leaf, azora_verify_gain, log)
            != 0)
        {
            return log->status;
        }

        if (azora_verify_past(log) != 0) {
            return log->status;
        }
    }

    return 0;
}


/* The remembered root must have been this log's at its size. */

static int
azora_verify_past(azora_verify_log_t *log)
{
    azora_tlog_hash_t  root;

    if (!log->has_remembered || log->tree.size != log->remembered.size) {
        return 0;
    }

    azora_tlog_root(&log->tree, &root);

    if (memcmp(&root, &log->remembered.root, sizeof(root)) != 0) {
        log->status = azora_verify_say(AZORA_VERIFY_BROKEN, "the first %"
                                       PRIu64 " entries are not those of the "
                                       "remembered checkpoint: history was "
                                       "changed", log->remembered.size);
        return log->status;
    }

    return 0;
}


/* Each hash that the entries give must stand in its tile. */

static int
azora_verify_gain(void *data, unsigned level, uint64_t index,
    const azora_tlog_hash_t *hash)
{
    uint64_t             have, tile;
    azora_verify_log_t  *log = data;

    tile = index / AZORA_TLOG_TILE;

    if (index % AZORA_TLOG_TILE == 0) {
        have = azora_tlog_level_size(log->checkpoint.size, level) - index;

        if (azora_verify_tile(log, level, tile,
                              have < AZORA_TLOG_TILE ? have : AZORA_TLOG_TILE,
                              log->tiles[level][0].bytes,
                              sizeof(log->tiles[level]))
            < 0)
        {
            return -1;
        }
    }

    if (memcmp(hash, &log->tiles[level][index % AZORA_TLOG_TILE],
               sizeof(*hash))
        != 0)
    {
        char  path[AZORA_TLOG_PATH_MAX];

        azora_tlog_path(path, level, tile, AZORA_TLOG_TILE);
        log->status = azora_verify_say(AZORA_VERIFY_BROKEN, "hash %" PRIu64
                                       " of \"%s\" is not that of the "
                                       "entries below it",
                                       index % AZORA_TLOG_TILE, path);
        return -1;
    }

    return 0;
}


/*
 * A server's directory has one growing file for a tile, a copy made over HTTP
 * has the last ones under the names of partial tiles.
 */

static ssize_t
azora_verify_tile(azora_verify_log_t *log, int level, uint64_t index,
    unsigned width, uint8_t *buf, size_t max)
{
    FILE    *file;
    char     name[AZORA_TLOG_PATH_MAX], path[AZORA_VERIFY_PATH_MAX];
    size_t   n, end;
    ssize_t  rc;

    rc = azora_tlog_read_tile(log->dir, level, index, width, buf, max);
    if (rc >= 0) {
        return rc;
    }

    azora_tlog_path(name, level, index, width);
    file = NULL;

    if (snprintf(path, sizeof(path), "%s/%s", log->dir, name)
        < (int) sizeof(path))
    {
        file = fopen(path, "rb");
    }

    if (file != NULL) {
        n = fread(buf, 1, max, file);
        fclose(file);

        end = azora_tlog_tile_end(level, width, buf, n);

        if (end <= n) {
            return end;
        }
    }

    log->status = azora_verify_say(AZORA_VERIFY_BROKEN, "\"%s\" is missing "
                                   "or too short", name);

    return -1;
}


/* Writes a log's files: C2SP tlog-tiles under one directory. */


#define _GNU_SOURCE    /* memrchr() */

#include "azora_tlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>


#define AZORA_TLOG_FILE_MAX   4096


static int azora_tlog_gain(void *data, unsigned level, uint64_t index,
    const azora_tlog_hash_t *hash);
static void *azora_tlog_grow(void *items, size_t *max, size_t need,
    size_t size);
static int azora_tlog_store_hashes(const azora_tlog_batch_t *batch,
    const char *dir, char *path, size_t max);
static int azora_tlog_store_entries(const azora_tlog_batch_t *batch,
    const char *dir, char *path, size_t max);
static int azora_tlog_store_checkpoint(const azora_tlog_batch_t *batch,
    const char *dir, char *path, size_t max);
static int azora_tlog_write(const char *dir, int level, uint64_t tile,
    const void *bytes, size_t len, off_t offset, char *path, size_t max);
static int azora_tlog_create(char *path, size_t dir_len);
static int azora_tlog_sync_dir(const char *dir);
static int azora_tlog_lock(const char *dir);
static uint64_t azora_tlog_note_size(const char *note, size_t len);


void
azora_tlog_batch_init(azora_tlog_batch_t *batch,
    const azora_tlog_tree_t *tree)
{
    memset(batch, 0, sizeof(*batch));

    batch->base = tree->size;
    batch->bundle = tree->bundle;
}


void
azora_tlog_batch_free(azora_tlog_batch_t *batch)
{
    free(batch->bytes);
    free(batch->gains);
    memset(batch, 0, sizeof(*batch));
}


int
azora_tlog_batch_add(azora_tlog_batch_t *batch, azora_tlog_tree_t *tree,
    const void *entry, size_t len)
{
    uint8_t            *p;
    azora_tlog_hash_t   leaf;

    if (len == 0 || len > AZORA_TLOG_ENTRY_MAX) {
        return -1;
    }

    p = azora_tlog_grow(batch->bytes, &batch->max, batch->len + 2 + len, 1);
    if (p == NULL) {
        return -1;
    }

    batch->bytes = p;
    p += batch->len;
    p[0] = len >> 8;
    p[1] = len & 0xff;
    memcpy(p + 2, entry, len);

    azora_tlog_leaf(&leaf, entry, len);

    if (azora_tlog_append(tree, &leaf, azora_tlog_gain, batch) != 0) {
        return -1;
    }

    batch->len += 2 + len;
    batch->n++;

    tree->bundle = (tree->size % AZORA_TLOG_TILE) ? tree->bundle + 2 + len : 0;

    return 0;
}


static int
azora_tlog_gain(void *data, unsigned level, uint64_t index,
    const azora_tlog_hash_t *hash)
{
    azora_tlog_gain_t   *gains;
    azora_tlog_batch_t  *batch = data;

    gains = azora_tlog_grow(batch->gains, &batch->gains_max,
                            batch->ngains + 1, sizeof(azora_tlog_gain_t));
    if (gains == NULL) {
        return -1;
    }

    batch->gains = gains;
    gains[batch->ngains].level = level;
    gains[batch->ngains].index = index;
    gains[batch->ngains].hash = *hash;
    batch->ngains++;

    return 0;
}


static void *
azora_tlog_grow(void *items, size_t *max, size_t need, size_t size)
{
    size_t   n;
    void    *grown;

    if (need <= *max) {
        return items;
    }

    n = *max ? *max : 1024;

    while (n < need) {
        n *= 2;
    }

    grown = realloc(items, n * size);

    if (grown != NULL) {
        *max = n;
    }

    return grown;
}


int
azora_tlog_batch_store(const azora_tlog_batch_t *batch, const char *dir,
    char *path, size_t max)
{
    int  lock, rc;

    /* two workers of one node may store at the same time during a reload */

    lock = azora_tlog_lock(dir);
    if (lock == -1) {
        snprintf(path, max, "%s/.lock", dir);
        return errno;
    }

    rc = azora_tlog_store_hashes(batch, dir, path, max);

    if (rc == 0) {
        rc = azora_tlog_store_entries(batch, dir, path, max);
    }

    if (rc == 0 && batch->checkpoint_len) {
        rc = azora_tlog_store_checkpoint(batch, dir, path, max);
    }

    close(lock);

    return rc;
}


static int
azora_tlog_lock(const char *dir)
{
    int   fd;
    char  path[AZORA_TLOG_FILE_MAX];

    snprintf(path, sizeof(path), "%s/.lock", dir);

    fd = open(path, O_RDWR|O_CREAT|O_CLOEXEC, 0644);

    if (fd != -1 && flock(fd, LOCK_EX) == -1) {
        close(fd);
        return -1;
    }

    return fd;
}


/* One write for each run of hashes that stand together in a tile. */

static int
azora_tlog_store_hashes(const azora_tlog_batch_t *batch, const char *dir,
    char *path, size_t max)
{
    int                       rc;
    size_t                    i, n;
    uint8_t                   run[AZORA_TLOG_TILE * AZORA_TLOG_HASH];
    unsigned                  level;
    uint64_t                  first, next;
    const azora_tlog_gain_t  *gain;

    for (level = 0; level < AZORA_TLOG_LEVELS; level++) {
        n = 0;
        first = next = 0;

        for (i = 0; i <= batch->ngains; i++) {
            gain = (i < batch->ngains) ? &batch->gains[i] : NULL;

            if (gain != NULL && gain->level != level) {
                continue;
            }

            if (n && (gain == NULL || next % AZORA_TLOG_TILE == 0)) {
                rc = azora_tlog_write(dir, level, first / AZORA_TLOG_TILE,
                                      run, n * AZORA_TLOG_HASH,
                                      first % AZORA_TLOG_TILE
                                      * AZORA_TLOG_HASH,
                                      path, max);
                if (rc != 0) {
                    return rc;
                }

                n = 0;
            }

            if (gain == NULL) {
                break;
            }

            if (n == 0) {
                first = gain->index;
            }

            memcpy(run + n * AZORA_TLOG_HASH, gain->hash.bytes,
                   AZORA_TLOG_HASH);
            next = gain->index + 1;
            n++;
        }
    }

    return 0;
}


static int
azora_tlog_store_entries(const azora_tlog_batch_t *batch, const char *dir,
    char *path, size_t max)
{
    int             rc;
    off_t           offset;
    size_t          i, size;
    uint64_t        index;
    const uint8_t  *p, *run;

    offset = batch->bundle;
    run = p = batch->bytes;
    index = batch->base;

    for (i = 0; i < batch->n; i++) {
        size = 2 + ((size_t) p[0] << 8) + p[1];
        p += size;
        index++;

        if (index % AZORA_TLOG_TILE != 0 && i + 1 < batch->n) {
            continue;
        }

        rc = azora_tlog_write(dir, -1, (index - 1) / AZORA_TLOG_TILE, run,
                              p - run, offset, path, max);
        if (rc != 0) {
            return rc;
        }

        run = p;
        offset = 0;
    }

    return 0;
}


static int
azora_tlog_write(const char *dir, int level, uint64_t tile,
    const void *bytes, size_t len, off_t offset, char *path, size_t max)
{
    int   fd, rc;
    char  name[AZORA_TLOG_PATH_MAX];

    azora_tlog_path(name, level, tile, AZORA_TLOG_TILE);

    if ((size_t) snprintf(path, max, "%s/%s", dir, name) >= max) {
        return ENAMETOOLONG;
    }

    fd = open(path, O_WRONLY|O_CLOEXEC);

    if (fd == -1 && errno == ENOENT) {
        fd = azora_tlog_create(path, strlen(dir));
    }

    if (fd == -1) {
        return errno;
    }

    errno = EIO;
    rc = (pwrite(fd, bytes, len, offset) == (ssize_t) len && fsync(fd) == 0)
         ? 0 : errno;

    close(fd);

    return rc;
}


/*
 * A new file and the directories on its way.  Their names are made durable
 * too: a checkpoint must never outlive a power cut that its tiles did not.
 */

static int
azora_tlog_create(char *path, size_t dir_len)
{
    int   fd, rc;
    char  *p, *next;

    for (p = path + dir_len; p != NULL; p = next) {
        next = strchr(p + 1, '/');

        if (next != NULL) {
            *next = '\0';

            if (mkdir(path, 0755) == -1 && errno != EEXIST) {
                *next = '/';
                return -1;
            }

            *next = '/';
        }
    }

    fd = open(path, O_WRONLY|O_CREAT|O_CLOEXEC, 0644);
    if (fd == -1) {
        return -1;
    }

    for (p = strrchr(path, '/');
         p != NULL && p >= path + dir_len;
         p = memrchr(path, '/', p - path))
    {
        *p = '\0';
        rc = azora_tlog_sync_dir(path);
        *p = '/';

        if (rc != 0) {
            close(fd);
            errno = rc;
            return -1;
        }
    }

    return fd;
}


/* The published checkpoint only ever moves forward. */

static int
azora_tlog_store_checkpoint(const azora_tlog_batch_t *batch,
    const char *dir, char *path, size_t max)
{
    int      fd, rc;
    char     temporary[AZORA_TLOG_FILE_MAX], note[AZORA_TLOG_NOTE_MAX];
    size_t   n;

    snprintf(path, max, "%s/checkpoint", dir);
    snprintf(temporary, sizeof(temporary), "%s/.checkpoint", dir);

    n = azora_tlog_read_checkpoint(dir, note);

    if (n > 0
        && azora_tlog_note_size(note, n)
           > azora_tlog_note_size(batch->checkpoint, batch->checkpoint_len))
    {
        return 0;
    }

    fd = open(temporary, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0644);
    if (fd == -1) {
        return errno;
    }

    errno = EIO;
    rc = (write(fd, batch->checkpoint, batch->checkpoint_len)
          == (ssize_t) batch->checkpoint_len
          && fsync(fd) == 0) ? 0 : errno;

    close(fd);

    if (rc == 0 && rename(temporary, path) == -1) {
        rc = errno;
    }

    return rc ? rc : azora_tlog_sync_dir(dir);
}


static int
azora_tlog_sync_dir(const char *dir)
{
    int  fd, rc;

    fd = open(dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    if (fd == -1) {
        return errno;
    }

    rc = fsync(fd) == 0 ? 0 : errno;
    close(fd);

    return rc;
}


/* The second line, without looking at the signature. */

static uint64_t
azora_tlog_note_size(const char *note, size_t len)
{
    uint64_t     size;
    const char  *p, *last;

    last = note + len;
    p = memchr(note, '\n', len);
    size = 0;

    for (p = p ? p + 1 : last; p < last && *p >= '0' && *p <= '9'; p++) {
        size = size * 10 + (*p - '0');
    }

    return size;
}

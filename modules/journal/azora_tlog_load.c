
/* Reads a log's files: tiles, bundles of entries, the checkpoint. */


#include "azora_tlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


#define AZORA_TLOG_FILE_MAX   4096


static ssize_t azora_tlog_read_file(const char *path, void *buf, size_t max);


ssize_t
azora_tlog_read_tile(const char *dir, int level, uint64_t index,
    unsigned width, uint8_t *buf, size_t max)
{
    char     path[AZORA_TLOG_FILE_MAX], name[AZORA_TLOG_PATH_MAX];
    size_t   end;
    ssize_t  n;

    azora_tlog_path(name, level, index, AZORA_TLOG_TILE);

    if (snprintf(path, sizeof(path), "%s/%s", dir, name)
        >= (int) sizeof(path))
    {
        errno = ENAMETOOLONG;
        return -1;
    }

    n = azora_tlog_read_file(path, buf, max);
    if (n < 0) {
        return -1;
    }

    end = azora_tlog_tile_end(level, width, buf, n);

    if (end > (size_t) n) {
        errno = ENOENT;
        return -1;
    }

    return end;
}


size_t
azora_tlog_tile_end(int level, unsigned width, const uint8_t *buf, size_t n)
{
    size_t    end;
    unsigned  i;

    if (level >= 0) {
        return width * AZORA_TLOG_HASH;
    }

    end = 0;

    for (i = 0; i < width; i++) {

        if (end + 2 > n) {
            return SIZE_MAX;
        }

        end += 2 + ((size_t) buf[end] << 8) + buf[end + 1];
    }

    return end;
}


size_t
azora_tlog_read_checkpoint(const char *dir, char note[AZORA_TLOG_NOTE_MAX])
{
    char     path[AZORA_TLOG_FILE_MAX];
    ssize_t  n;

    snprintf(path, sizeof(path), "%s/checkpoint", dir);

    n = azora_tlog_read_file(path, note, AZORA_TLOG_NOTE_MAX);

    return (n < 0 || n == AZORA_TLOG_NOTE_MAX) ? 0 : n;
}


int
azora_tlog_load(azora_tlog_tree_t *tree, const azora_tlog_key_t *key,
    const char *dir, char note[AZORA_TLOG_NOTE_MAX], const char **reason)
{
    char                      path[AZORA_TLOG_FILE_MAX];
    uint8_t                  *bundle;
    ssize_t                   n;
    unsigned                  level, width;
    uint64_t                  size;
    azora_tlog_hash_t         root;
    azora_tlog_checkpoint_t   checkpoint;

    azora_tlog_init(tree);
    note[0] = '\0';

    snprintf(path, sizeof(path), "%s/checkpoint", dir);
    n = azora_tlog_read_file(path, note, AZORA_TLOG_NOTE_MAX - 1);

    if (n < 0) {
        *reason = "its checkpoint cannot be read";
        return (errno == ENOENT) ? 0 : -1;
    }

    note[n] = '\0';

    if (azora_tlog_note_open(key, note, n, &checkpoint, reason) != 0) {
        return -1;
    }

    tree->size = checkpoint.size;

    for (level = 0; level < AZORA_TLOG_LEVELS; level++) {
        size = azora_tlog_level_size(tree->size, level);
        width = size % AZORA_TLOG_TILE;

        if (width && azora_tlog_read_tile(dir, level, size / AZORA_TLOG_TILE,
                                          width, tree->edge[level][0].bytes,
                                          sizeof(tree->edge[level]))
                     < 0)
        {
            *reason = "a tile is missing";
            return -1;
        }
    }

    width = tree->size % AZORA_TLOG_TILE;

    if (width) {
        n = (size_t) AZORA_TLOG_TILE * (2 + AZORA_TLOG_ENTRY_MAX);
        bundle = malloc(n);
        n = bundle ? azora_tlog_read_tile(dir, -1,
                                          tree->size / AZORA_TLOG_TILE, width,
                                          bundle, n)
                   : -1;
        free(bundle);

        if (n < 0) {
            *reason = "a bundle of entries is missing";
            return -1;
        }

        tree->bundle = n;
    }

    azora_tlog_root(tree, &root);

    if (memcmp(&root, &checkpoint.root, sizeof(root)) != 0) {
        *reason = "its tiles do not make the root that was signed";
        return -1;
    }

    return 0;
}


static ssize_t
azora_tlog_read_file(const char *path, void *buf, size_t max)
{
    int      fd;
    ssize_t  n, total;

    fd = open(path, O_RDONLY|O_CLOEXEC);
    if (fd == -1) {
        return -1;
    }

    total = 0;

    do {
        n = read(fd, (char *) buf + total, max - total);
        total += (n > 0) ? n : 0;
    } while (n > 0 && (size_t) total < max);

    close(fd);

    return (n < 0) ? -1 : total;
}

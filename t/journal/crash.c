
/*
 * Preloaded into NGINX by t/journal/crash.t: kills the process with SIGKILL at
 * a chosen one of its changes to the public log's files.
 *
 * The file AZORA_CRASH holds a number.  Each change (a write, an fsync, a
 * rename below .../chronicle/) lowers it by one; at zero the file is removed
 * and the process dies, a write half done.
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>


static int
is_log(int fd)
{
    char     link[64], path[4096];
    ssize_t  n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);

    if (n <= 0) {
        return 0;
    }

    path[n] = '\0';

    return strstr(path, "/chronicle/") != NULL;
}


/* Whether this change is the last */

static int
is_due(void)
{
    int          fd;
    long         left;
    char         text[32];
    ssize_t      n;
    const char  *file;

    file = getenv("AZORA_CRASH");
    fd = file ? open(file, O_RDWR|O_CLOEXEC) : -1;

    if (fd == -1) {
        return 0;
    }

    n = read(fd, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    left = strtol(text, NULL, 10) - 1;

    if (left <= 0) {
        unlink(file);

    } else {
        n = snprintf(text, sizeof(text), "%ld\n", left);

        if (ftruncate(fd, 0) != 0
            || pwrite(fd, text, n, 0) != n)
        {
            abort();
        }
    }

    close(fd);

    return left <= 0;
}


static void
die(void)
{
    kill(getpid(), SIGKILL);
    pause();
}


ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off64_t);

    *(void **) &real = dlsym(RTLD_NEXT, "pwrite64");

    if (is_log(fd) && is_due()) {
        (void) !real(fd, data, len / 2, offset);
        die();
    }

    return real(fd, data, len, offset);
}


ssize_t
write(int fd, const void *data, size_t len)
{
    ssize_t (*real)(int, const void *, size_t);

    *(void **) &real = dlsym(RTLD_NEXT, "write");

    if (is_log(fd) && is_due()) {
        (void) !real(fd, data, len / 2);
        die();
    }

    return real(fd, data, len);
}


int
fsync(int fd)
{
    int (*real)(int);

    *(void **) &real = dlsym(RTLD_NEXT, "fsync");

    if (is_log(fd) && is_due()) {
        die();
    }

    return real(fd);
}


int
rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *);

    *(void **) &real = dlsym(RTLD_NEXT, "rename");

    if (strstr(to, "/chronicle/") != NULL && is_due()) {
        die();
    }

    return real(from, to);
}


/*
 * Many clients of one event stream, for bench/sse.pl.
 *
 *     sse PORT N PATH [TOKEN]
 *
 * "open" when all N have their answer's header; then for each line on its
 * input "got FIRST LAST", Unix times in microseconds at which the first and
 * the last client had an event since the line before, or "lost N" after 10
 * seconds without it.  An event is what has "data:" in it.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define WAIT_MS      10000
#define OPENING_MAX  64       /* at once, so that no backlog overflows */


static int       epoll_fd;
static unsigned  n, opened, got;
static long      first_us, last_us;
static char     *state;       /* by descriptor: 0, h(eader) or e(vent) */


static void
die(const char *what)
{
    fprintf(stderr, "sse: %s: %s\n", what, strerror(errno));
    exit(1);
}


static long
now_us(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return ts.tv_sec * 1000000L + ts.tv_nsec / 1000;
}


static void
begin(int port, const char *request)
{
    int                 fd;
    struct sockaddr_in  sin;
    struct epoll_event  event;

    fd = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0);

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    if (fd == -1 || connect(fd, (struct sockaddr *) &sin, sizeof(sin)) != 0) {
        die("connect");
    }

    if (write(fd, request, strlen(request)) != (ssize_t) strlen(request)
        || fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
    {
        die("write");
    }

    event.events = EPOLLIN;
    event.data.fd = fd;

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        die("epoll_ctl");
    }
}


static void
readable(int fd)
{
    ssize_t      size;
    static char  buffer[65536];

    size = read(fd, buffer, sizeof(buffer) - 1);

    if (size <= 0) {
        die("a client was closed");
    }

    buffer[size] = '\0';

    if (state[fd] == 0) {

        if (strncmp(buffer, "HTTP/1.1 200", 12) != 0) {
            buffer[strcspn(buffer, "\r\n")] = '\0';
            fprintf(stderr, "sse: %s\n", buffer);
            exit(1);
        }

        state[fd] = 'h';
        opened++;
        return;
    }

    if (state[fd] == 'h' && strstr(buffer, "data:") != NULL) {
        last_us = now_us();
        first_us = got ? first_us : last_us;
        state[fd] = 'e';
        got++;
    }
}


static int
turn(int timeout_ms)
{
    int                        i, count;
    static struct epoll_event  events[512];

    count = epoll_wait(epoll_fd, events, 512, timeout_ms);

    for (i = 0; i < count; i++) {
        readable(events[i].data.fd);
    }

    return count;
}


static void
listen_on(unsigned fds)
{
    char      line[16];
    long      until;
    unsigned  i;

    while (fgets(line, sizeof(line), stdin) != NULL) {

        until = now_us() + WAIT_MS * 1000L;

        while (got < n && now_us() < until) {
            turn(100);
        }

        if (got == n) {
            printf("got %ld %ld\n", first_us, last_us);

        } else {
            printf("lost %u\n", n - got);
        }

        fflush(stdout);
        got = 0;

        for (i = 0; i < fds; i++) {
            state[i] = state[i] ? 'h' : 0;
        }
    }
}


int
main(int argc, char **argv)
{
    char           request[4096];
    unsigned       i, fds;
    struct rlimit  limit;

    if (argc < 4) {
        fprintf(stderr, "usage: sse PORT N PATH [TOKEN]\n");
        return 2;
    }

    n = strtoul(argv[2], NULL, 10);
    fds = n + 64;
    state = calloc(fds, 1);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    limit.rlim_cur = fds;
    limit.rlim_max = fds;

    if (state == NULL || epoll_fd == -1
        || setrlimit(RLIMIT_NOFILE, &limit) != 0)
    {
        die("this many clients");
    }

    snprintf(request, sizeof(request),
             "GET %s HTTP/1.1\r\nHost: localhost\r\n"
             "Accept: text/event-stream\r\n%s%s%s\r\n", argv[3],
             argc > 4 ? "Authorization: Bearer " : "",
             argc > 4 ? argv[4] : "", argc > 4 ? "\r\n" : "");

    for (i = 0; i < n; i++) {
        begin(atoi(argv[1]), request);

        while (i >= opened + OPENING_MAX) {
            turn(1000);
        }
    }

    while (opened < n) {
        turn(1000);
    }

    printf("open\n");
    fflush(stdout);

    listen_on(fds);

    return 0;
}


/*
 * load: asks one HTTP server over kept-alive connections and says how fast
 * and how late the answers were.
 *
 *     load [-c CONNECTIONS] [-d SECONDS] [-w WARMUP] [-r RATE] [-k] PORT FILE
 *
 * Without -r each connection asks again as soon as it was answered.  With it
 * RATE requests a second are due at fixed times, whether or not the server
 * keeps up, and a delay counts from the time a request was due: a server
 * that stalls cannot hide the requests that it kept from being sent.
 *
 * With -k a delay is the server's alone: it ends when the kernel has the
 * answer for us, and begins when the request is sent, or when none of the
 * connections was free for it.  How long this process waits for a processor
 * itself, which a client elsewhere would not share with the server, is not in
 * it.
 *
 * FILE holds the requests, each after a line with its length.  A run of 32
 * '#' in one becomes a number of 32 digits that no request had before.
 * Connection i sends the i-th, the (i + CONNECTIONS)-th and so on.  Answers
 * need a Content-Length.  One line of name=value goes to the output.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define LOAD_CONNECTIONS_MAX   4096
#define LOAD_REQUEST_MAX       4096
#define LOAD_ANSWER_MAX        16384
#define LOAD_EVENTS            256
#define LOAD_TICK_NS           500000      /* between looks at the clock */
#define LOAD_SLOTS             64          /* of the histogram, per octave */
#define LOAD_OCTAVES           40
#define LOAD_HASHES            "################################"


typedef struct {
    const char            *text;
    size_t                 len;
    size_t                 key;            /* offset of the '#', 0: none */
} load_request_t;

typedef struct {
    int                    fd;
    uint32_t               next;           /* request */
    uint64_t               started;        /* ns */
    size_t                 received;
    char                   out[LOAD_REQUEST_MAX];
    char                   in[LOAD_ANSWER_MAX + 1];
} load_connection_t;

typedef struct {
    uint64_t               begin;          /* of what is counted */
    uint64_t               end;
    uint64_t               interval;       /* ns, 0: as fast as it goes */
    uint64_t               due;
    uint64_t               late;           /* no connection was free, since;
                                              0: there was one */
    int                    kernel;         /* -k */
    uint64_t               answers;
    uint64_t               errors;
    uint64_t               max;
    uint64_t               unique;
    int                    epoll;
    uint32_t               nconnections;
    uint32_t               nfree;
    uint32_t               nrequests;
    load_request_t        *requests;
    load_connection_t     *connections;
    load_connection_t    **free;
    uint64_t               histogram[LOAD_OCTAVES * LOAD_SLOTS];
} load_t;


static load_t  load;


static void
fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}


static uint64_t
now_ns(void)
{
    struct timespec  ts;

    /* the kernel's times of what it received are of this clock */
    clock_gettime(load.kernel ? CLOCK_REALTIME : CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


/* Each power of two has LOAD_SLOTS parts: values are 1.6% right. */

static uint32_t
slot_of(uint64_t value)
{
    int  octave;

    if (value < LOAD_SLOTS) {
        return value;
    }

    octave = 63 - __builtin_clzll(value) - 5;

    return octave * LOAD_SLOTS + ((value >> octave) & (LOAD_SLOTS - 1));
}


static double
percentile_us(double part)
{
    int       octave;
    uint32_t  i;
    uint64_t  seen, value;

    seen = 0;

    for (i = 0; i < LOAD_OCTAVES * LOAD_SLOTS; i++) {
        seen += load.histogram[i];

        if (seen > load.answers * part) {
            octave = i / LOAD_SLOTS;
            value = i % LOAD_SLOTS;

            return (double) (octave ? value << octave : value) / 1000;
        }
    }

    return (double) load.max / 1000;
}


static void
read_requests(const char *path)
{
    FILE    *file;
    char    *text, *hashes;
    size_t   len;

    file = fopen(path, "r");
    if (file == NULL) {
        fail(path);
    }

    while (fscanf(file, "%zu", &len) == 1) {

        if (len == 0 || len > LOAD_REQUEST_MAX || fgetc(file) != '\n') {
            errno = EINVAL;
            fail(path);
        }

        load.requests = realloc(load.requests, (load.nrequests + 1)
                                               * sizeof(load_request_t));
        text = malloc(len + 1);

        if (load.requests == NULL || text == NULL
            || fread(text, 1, len, file) != len)
        {
            fail(path);
        }

        text[len] = '\0';
        hashes = strstr(text, LOAD_HASHES);

        load.requests[load.nrequests].text = text;
        load.requests[load.nrequests].len = len;
        load.requests[load.nrequests].key = hashes ? hashes - text : 0;
        load.nrequests++;
    }

    fclose(file);

    if (load.nrequests == 0) {
        errno = EINVAL;
        fail(path);
    }
}


static void
open_connection(load_connection_t *c, uint16_t port)
{
    int                 one;
    struct epoll_event  event;
    struct sockaddr_in  address;

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    c->fd = socket(AF_INET, SOCK_STREAM, 0);

    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &address, sizeof(address)) != 0)
    {
        fail("connect");
    }

    one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

    if (load.kernel
        && setsockopt(c->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one))
           != 0)
    {
        fail("SO_TIMESTAMPNS");
    }

    event.events = EPOLLIN;
    event.data.ptr = c;

    if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        fail("epoll_ctl");
    }
}


/* A request fits a socket's buffer: it is sent at once or not at all. */

static void
send_request(load_connection_t *c, uint64_t started)
{
    char                   number[LOAD_REQUEST_MAX];
    const load_request_t  *r;

    r = &load.requests[c->next];
    c->next = (c->next + load.nconnections) % load.nrequests;

    memcpy(c->out, r->text, r->len);

    if (r->key) {
        snprintf(number, sizeof(number), "%032llu",
                 (unsigned long long) ++load.unique);
        memcpy(c->out + r->key, number, 32);
    }

    c->started = started;
    c->received = 0;

    if (send(c->fd, c->out, r->len, MSG_NOSIGNAL) != (ssize_t) r->len) {
        fail("send");
    }
}


/* 1: the whole answer is there, 0: not yet */

static int
complete(load_connection_t *c)
{
    char    *body, *length;
    size_t   head;

    c->in[c->received] = '\0';

    body = strstr(c->in, "\r\n\r\n");
    if (body == NULL) {
        return 0;
    }

    head = body + 4 - c->in;
    length = strcasestr(c->in, "\r\nContent-Length:");

    if (length == NULL || length > body) {
        errno = EPROTO;
        fail("an answer without Content-Length");
    }

    return c->received >= head + strtoul(length + 17, NULL, 10);
}


static void
count(load_connection_t *c, uint64_t now)
{
    uint64_t  delay;

    if (c->in[9] != '2' && load.errors++ == 0) {
        fprintf(stderr, "load: first error: %.1000s\n", c->in);
    }

    if (now < load.begin || now >= load.end) {
        return;
    }

    delay = now - c->started;
    load.answers++;
    load.histogram[slot_of(delay)]++;

    if (delay > load.max) {
        load.max = delay;
    }
}


/* what there is, and when the kernel had it; 0: it does not tell */

static ssize_t
receive_at(load_connection_t *c, uint64_t *at)
{
    char              control[64];
    ssize_t           n;
    struct iovec      iov;
    struct msghdr     message;
    struct cmsghdr   *cmsg;
    struct timespec   ts;

    iov.iov_base = c->in + c->received;
    iov.iov_len = LOAD_ANSWER_MAX - c->received;

    memset(&message, 0, sizeof(message));
    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);

    *at = 0;
    n = recvmsg(c->fd, &message, MSG_DONTWAIT);
    cmsg = (n > 0) ? CMSG_FIRSTHDR(&message) : NULL;

    if (cmsg != NULL && cmsg->cmsg_level == SOL_SOCKET
        && cmsg->cmsg_type == SCM_TIMESTAMPNS)
    {
        memcpy(&ts, CMSG_DATA(cmsg), sizeof(ts));
        *at = (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
    }

    return n;
}


static void
receive(load_connection_t *c)
{
    ssize_t   n;
    uint64_t  now, at;

    n = receive_at(c, &at);

    if (n <= 0) {
        if (n < 0 && errno == EAGAIN) {
            return;
        }

        fail("recv");
    }

    c->received += n;

    if (!complete(c)) {
        return;
    }

    now = now_ns();

    if (load.kernel && at == 0) {
        errno = ENOTSUP;
        fail("the kernel does not tell when it had an answer");
    }

    count(c, load.kernel ? at : now);

    if (load.interval == 0 && now < load.end) {
        send_request(c, now);
        return;
    }

    load.free[load.nfree++] = c;
}


static void
send_due(uint64_t now)
{
    uint64_t  started;

    while (load.due <= now && load.due < load.end) {

        if (load.nfree == 0) {
            load.late = load.late ? load.late : now;
            return;
        }

        started = load.due;

        if (load.kernel) {
            started = load.late ? load.late : now_ns();
        }

        send_request(load.free[--load.nfree], started);
        load.due += load.interval;
    }

    load.late = 0;
}


static void
run(void)
{
    int                 i, n;
    uint64_t            now;
    struct timespec     tick;
    struct epoll_event  events[LOAD_EVENTS];

    tick.tv_sec = 0;
    tick.tv_nsec = LOAD_TICK_NS;

    if (load.interval == 0) {
        while (load.nfree) {
            send_request(load.free[--load.nfree], now_ns());
        }
    }

    for ( ;; ) {
        now = now_ns();

        if (load.interval) {
            send_due(now);
        }

        if (now >= load.end && load.nfree == load.nconnections) {
            return;
        }

        if (now >= load.end + 10000000000u) {
            errno = ETIMEDOUT;
            fail("answers are missing");
        }

        n = epoll_pwait2(load.epoll, events, LOAD_EVENTS, &tick, NULL);

        for (i = 0; i < n; i++) {
            receive(events[i].data.ptr);
        }
    }
}


static void
print(double seconds)
{
    struct timespec  cpu;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);

    printf("answers=%llu errors=%llu rate=%.0f p50=%.0f p90=%.0f p99=%.0f "
           "p999=%.0f max=%.0f cpu=%.2f\n",
           (unsigned long long) load.answers,
           (unsigned long long) load.errors, load.answers / seconds,
           percentile_us(0.5), percentile_us(0.9), percentile_us(0.99),
           percentile_us(0.999), (double) load.max / 1000,
           cpu.tv_sec + cpu.tv_nsec / 1e9);
}


int
main(int argc, char **argv)
{
    int       c;
    double    seconds, warmup, rate;
    uint32_t  i;

    load.nconnections = 64;
    seconds = 3;
    warmup = 0;
    rate = 0;

    while ((c = getopt(argc, argv, "c:d:w:r:k")) != -1) {
        switch (c) {
        case 'c': load.nconnections = atoi(optarg); break;
        case 'd': seconds = atof(optarg); break;
        case 'w': warmup = atof(optarg); break;
        case 'r': rate = atof(optarg); break;
        case 'k': load.kernel = 1; break;
        default: return 2;
        }
    }

    if (argc - optind != 2 || load.nconnections < 1
        || load.nconnections > LOAD_CONNECTIONS_MAX || seconds <= 0)
    {
        fprintf(stderr, "usage: load [-c CONNECTIONS] [-d SECONDS] "
                "[-w WARMUP] [-r RATE] [-k] PORT FILE\n");
        return 2;
    }

    read_requests(argv[optind + 1]);

    load.unique = now_ns();
    load.epoll = epoll_create1(0);
    load.connections = calloc(load.nconnections, sizeof(load_connection_t));
    load.free = calloc(load.nconnections, sizeof(load_connection_t *));

    if (load.connections == NULL || load.free == NULL) {
        fail("memory");
    }

    for (i = 0; i < load.nconnections; i++) {
        load.connections[i].next = i % load.nrequests;
        open_connection(&load.connections[i], atoi(argv[optind]));
        load.free[load.nfree++] = &load.connections[i];
    }

    load.interval = rate > 0 ? 1e9 / rate : 0;
    load.due = now_ns();
    load.begin = load.due + (uint64_t) (warmup * 1e9);
    load.end = load.begin + (uint64_t) (seconds * 1e9);

    run();
    print(seconds);

    return 0;
}

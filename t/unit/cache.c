
/*
 * The response cache's memory: what it gives back, who gets a ticket, who
 * gives way, and that a process dying at work in it never makes it lie.
 */


#include "ngx_azora_test.h"
#include "ngx_azora_cache_zone.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <signal.h>


#define TEST_SIZE     (512 * 1024)
#define TEST_LEASE    1000
#define TEST_FRESH    10000
#define TEST_STALE    5000
#define TEST_CROWD    12
#define TEST_LARGE      (TEST_CROWD + 5)  /* of another length than others */


static ngx_shm_zone_t           test_zone;
static ngx_azora_cache_conf_t   test_conf;
static ngx_azora_cache_news_t   test_news;
static u_char                   test_body[300 * 1024];


static void
test_make_zone(ngx_conf_t *cf)
{
    ngx_slab_pool_t  *slab;

    slab = mmap(NULL, TEST_SIZE, PROT_READ|PROT_WRITE,
                MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    test_zone.shm.addr = (u_char *) slab;
    test_zone.shm.size = TEST_SIZE;
    test_zone.shm.log = cf->log;
    test_zone.data = &test_conf;
    test_conf.stale = TEST_STALE;

    slab->end = (u_char *) slab + TEST_SIZE;
    slab->min_shift = 3;
    slab->addr = slab;
    (void) ngx_shmtx_create(&slab->mutex, &slab->lock, NULL);
    ngx_slab_init(slab);

    is_int(ngx_azora_cache_zone_init(&test_zone, NULL), NGX_OK,
           "the zone is made");
    is_int(ngx_azora_cache_zone_init_process(cf->cycle, &test_conf), NGX_OK,
           "and the worker's buffer");
}


/* The key of question n; few hashes, so that chains are long. */

static ngx_azora_cache_key_t
test_key(uint64_t n, uint64_t generation)
{
    ngx_azora_cache_key_t  key;

    static u_char  fingerprint[NGX_AZORA_CACHE_FINGERPRINT + 1];

    (void) ngx_sprintf(fingerprint, "%064uL", n);

    ngx_str_set(&key.label, "GET /v1/questions");
    key.fingerprint = fingerprint;
    key.hash = n % 5;
    key.generation = generation;

    return key;
}


static ngx_int_t
test_get(uint64_t n, uint64_t generation, ngx_azora_cache_copy_t *copy)
{
    ngx_azora_cache_key_t  key;

    key = test_key(n, generation);

    return ngx_azora_cache_get(&test_conf, &key, TEST_LEASE, copy,
                               &test_news);
}


/* The answer to n is of n's own length and letters. */

static size_t
test_len(uint64_t n)
{
    return 1 + (n * 7919) % 9000;
}


static ngx_int_t
test_put(uint64_t n, uint64_t generation, uint64_t ticket, size_t len)
{
    ngx_str_t              body, etag;
    ngx_azora_cache_key_t  key;

    key = test_key(n, generation);

    body.data = test_body;
    body.len = len;
    ngx_memset(body.data, 'a' + (int) (n % 26), len);
    ngx_str_set(&etag, "\"tag\"");

    return ngx_azora_cache_put(&test_conf, &key, ticket, &body, &etag, 0,
                               TEST_FRESH, &test_news);
}


static ngx_uint_t
test_whole(uint64_t n, const ngx_azora_cache_copy_t *copy)
{
    size_t  i;

    if (copy->body.len != test_len(n) || copy->etag.len != 5
        || ngx_memcmp(copy->etag.data, "\"tag\"", 5) != 0)
    {
        return 0;
    }

    for (i = 0; i < copy->body.len; i++) {
        if (copy->body.data[i] != 'a' + n % 26) {
            return 0;
        }
    }

    return 1;
}


/* Asks and answers; whether it was there. */

static ngx_uint_t
test_use(uint64_t n, ngx_uint_t *wrong)
{
    ngx_int_t               rc;
    ngx_azora_cache_copy_t  copy;

    rc = test_get(n, 1, &copy);

    if (rc == NGX_OK) {
        *wrong += !test_whole(n, &copy);
    }

    if (copy.ticket) {
        (void) test_put(n, 1, copy.ticket, test_len(n));
    }

    return rc == NGX_OK;
}


static void
test_tickets(void)
{
    ngx_azora_cache_key_t   key;
    ngx_azora_cache_copy_t  copy, other;

    is_int(test_get(1, 1, &copy), NGX_DECLINED, "an unknown question");
    ok(copy.ticket != 0, "gives a ticket");
    is_int(test_get(1, 1, &other), NGX_AGAIN, "to one, and others wait");

    is_int(test_put(1, 1, copy.ticket + 1, 10), NGX_DECLINED,
           "nobody answers without it");
    is_int(test_put(1, 1, 0, 10), NGX_DECLINED, "nor with none");
    is_int(test_put(1, 1, copy.ticket, test_len(1)), NGX_OK, "with it");
    is_int(test_get(1, 1, &other), NGX_OK, "there is an answer");
    ok(test_whole(1, &other), "the one that was given");
    is_int(other.ticket, 0, "and no ticket");

    is_int(test_get(2, 1, &copy), NGX_DECLINED, "another question");
    key = test_key(2, 1);
    ngx_azora_cache_release(&test_conf, &key, copy.ticket);
    is_int(test_get(2, 1, &other), NGX_DECLINED, "that failed");
    is_int(test_put(2, 1, copy.ticket, 10), NGX_DECLINED,
           "a ticket is good once");

    ngx_current_msec += TEST_LEASE;
    is_int(test_get(2, 1, &copy), NGX_DECLINED, "and for some time");
    is_int(test_put(2, 1, other.ticket, 10), NGX_DECLINED,
           "who comes later than that is too late");
    is_int(test_put(2, 1, copy.ticket, test_len(2)), NGX_OK,
           "who took over is not");
}


static void
test_ages(void)
{
    ngx_azora_cache_key_t   key;
    ngx_azora_cache_copy_t  copy, other;

    is_int(test_get(3, 1, &copy), NGX_DECLINED, "a third question");
    (void) test_put(3, 1, copy.ticket, test_len(3));

    ngx_current_msec += TEST_FRESH - 1;
    is_int(test_get(3, 1, &copy), NGX_OK, "is fresh");
    is_int(copy.ticket, 0, "until its time");
    is_int(copy.age, TEST_FRESH - 1, "it has an age");

    ngx_current_msec += 1;
    is_int(test_get(3, 1, &copy), NGX_OK, "then it is still given");
    ok(copy.ticket != 0 && copy.ttl <= 0, "and one is to ask");
    is_int(test_get(3, 1, &other), NGX_OK, "while the others have it");
    is_int(other.ticket, 0, "without asking");

    key = test_key(3, 1);
    ngx_azora_cache_release(&test_conf, &key, copy.ticket);
    is_int(test_get(3, 1, &copy), NGX_OK, "when that fails it stays");
    ok(copy.ticket != 0, "and the next one asks");
    ngx_azora_cache_release(&test_conf, &key, copy.ticket);

    ngx_current_msec += TEST_STALE;
    is_int(test_get(3, 1, &copy), NGX_DECLINED, "but not for ever");
    ok(copy.known, "it was known");
    is_int(test_news.purged, 0, "and is not called purged");
}


static void
test_generations(void)
{
    ngx_azora_cache_copy_t  copy, other;

    (void) test_get(4, 1, &copy);
    (void) test_put(4, 1, copy.ticket, test_len(4));

    is_int(test_get(4, 2, &copy), NGX_DECLINED, "another generation");
    is_int(test_news.purged, 1, "purges");
    is_int(test_get(4, 3, &other), NGX_DECLINED, "a third one takes over");
    is_int(test_put(4, 2, copy.ticket, 10), NGX_DECLINED,
           "what was asked before it is not kept");
    is_int(test_put(4, 3, other.ticket, test_len(4)), NGX_OK, "only its own");
    is_int(test_get(4, 3, &copy), NGX_OK, "is there");
}


static void
test_full(void)
{
    ngx_uint_t               i, wrong, hot, evicted;
    ngx_azora_cache_copy_t   copy;
    ngx_azora_cache_state_t  state;

    wrong = hot = evicted = 0;

    for (i = 0; i < 2000; i++) {
        (void) test_use(1000 + i, &wrong);
        evicted += test_news.evicted;
        hot += test_use(999, &wrong);
    }

    is_int(wrong, 0, "a full cache gives no other's answer");
    is_int(hot, 1999, "and keeps what is asked for");
    ok(evicted > 1000, "the others gave way");

    ngx_azora_cache_state(&test_conf, &state);
    ok(state.used > state.size * 3 / 4 && state.used <= state.size,
       "it is used, %lu of %lu bytes", (unsigned long) state.used,
       (unsigned long) state.size);

    (void) test_get(TEST_LARGE, 1, &copy);
    is_int(test_put(TEST_LARGE, 1, copy.ticket, TEST_SIZE / 4), NGX_DECLINED,
           "nobody takes a quarter of it");
    is_int(test_put(TEST_LARGE, 1, copy.ticket, TEST_SIZE / 10), NGX_OK,
           "but a tenth");
    is_int(test_get(TEST_LARGE, 1, &copy), NGX_OK, "which is there");
    is_int(copy.body.len, TEST_SIZE / 10, "whole");
}


static void
test_reload(void)
{
    ngx_shm_zone_t           zone;
    ngx_azora_cache_conf_t   conf, old;
    ngx_azora_cache_copy_t   copy;

    ngx_memzero(&conf, sizeof(conf));
    conf.stale = TEST_STALE;
    zone = test_zone;
    zone.data = &conf;
    is_int(ngx_azora_cache_zone_init(&zone, &test_conf), NGX_OK,
           "a reload takes it over");

    old = test_conf;
    test_conf = conf;
    is_int(test_get(TEST_LARGE, 1, &copy), NGX_OK, "with what it holds");
    test_conf = old;

    test_conf.zone->version++;
    is_int(ngx_azora_cache_zone_init(&zone, &test_conf), NGX_ERROR,
           "another version's is refused");
    test_conf.zone->version--;
}


static void
test_writer(uint64_t seed)
{
    uint64_t    i;
    ngx_uint_t  wrong;

    ngx_pid = getpid();
    wrong = 0;

    for (i = seed; /* killed */ ; i++) {
        (void) test_use(i % TEST_CROWD, &wrong);
        (void) test_get(i % TEST_CROWD, 2 + i % 3,
                        &(ngx_azora_cache_copy_t) { .age = 0 });
    }
}


/* What a master does for a worker that died. */

static void
test_bury(pid_t pid)
{
    int  status;

    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    (void) ngx_shmtx_force_unlock(&test_conf.slab->mutex, pid);
}


static void
test_race(void)
{
    pid_t                    pids[3];
    uint64_t                 until;
    ngx_uint_t               i, n, wrong, hits, kills;
    ngx_azora_cache_state_t  state;

    for (i = 0; i < 3; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            test_writer(i * 5);
        }
    }

    n = wrong = hits = kills = 0;
    until = ngx_azora_now_ns() + 1500000000ULL;

    while (ngx_azora_now_ns() < until) {

        for (i = 0; i < 500; i++) {
            hits += test_use(n++ % TEST_CROWD, &wrong);
        }

        i = kills++ % 3;
        test_bury(pids[i]);
        pids[i] = fork();

        if (pids[i] == 0) {
            test_writer(n);
        }
    }

    for (i = 0; i < 3; i++) {
        test_bury(pids[i]);
    }

    diag("%lu of %lu were hits, %lu writers were killed",
         (unsigned long) hits, (unsigned long) n, (unsigned long) kills);
    is_int(wrong, 0, "no answer is torn or another's");
    ok(hits > 0 && kills > 10, "with writers killed at work");

    test_conf.zone->busy = 1;
    ngx_azora_cache_state(&test_conf, &state);
    is_int(state.entries, 0, "what is left half done is thrown away");
    is_int(state.used, 0, "and all memory is there again");

    wrong = 0;
    is_int(test_use(6, &wrong), 0, "an empty cache is asked");
    is_int(test_use(6, &wrong), 1, "and answers");
    is_int(wrong, 0, "right");
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    ngx_msec_t  now;

    now = ngx_current_msec;

    test_make_zone(cf);
    test_tickets();
    test_ages();
    test_generations();
    test_full();
    test_reload();
    test_race();

    ngx_current_msec = now;
}


/*
 * The cache of verified tokens: what it gives back, what it refuses to, and
 * that processes writing and dying under a reader never make it lie.
 */


#include "ngx_azora_test.h"
#include "ngx_http_azora_auth.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <signal.h>


#define TEST_RING        7
#define TEST_GENERATION  3
#define TEST_NOW         1000
#define TEST_CELL        512
#define TEST_TOKENS      6


static ngx_shm_zone_t                 test_zone;
static ngx_http_azora_auth_cache_t   *test_cache;
static ngx_pool_t                    *test_pool;
static ngx_uint_t                     test_crowded;


/*
 * The module's own zone, given memory now: NGINX would do so after the
 * configuration has been read.
 */

static void
test_make_cache(ngx_conf_t *cf, size_t size)
{
    ngx_uint_t        i;
    ngx_slab_pool_t  *slab;
    ngx_shm_zone_t   *zone;
    ngx_list_part_t  *part;

    for (part = &cf->cycle->shared_memory.part; part; part = part->next) {
        zone = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (zone[i].shm.name.len == 10
                && ngx_strncmp(zone[i].shm.name.data, "azora_auth", 10) == 0)
            {
                test_zone = zone[i];
            }
        }
    }

    slab = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                -1, 0);

    test_zone.shm.addr = (u_char *) slab;
    test_zone.shm.size = size;
    test_zone.shm.log = cf->log;
    test_zone.shm.exists = 0;

    slab->end = (u_char *) slab + size;
    slab->min_shift = 3;
    slab->addr = slab;
    (void) ngx_shmtx_create(&slab->mutex, &slab->lock, NULL);
    ngx_slab_init(slab);

    test_cache = test_zone.data;
    is_int(test_zone.init(&test_zone, NULL), NGX_OK, "the zone is made");
}


/* A principal all of whose strings follow from n. */

static void
test_principal(ngx_azora_principal_t *who, u_char *text, ngx_uint_t n,
    time_t expires)
{
    size_t       len;
    ngx_uint_t   i;
    ngx_str_t   *s[5];

    s[0] = &who->subject;
    s[1] = &who->session;
    s[2] = &who->roles;
    s[3] = &who->scope;
    s[4] = &who->tier;

    len = 36;

    for (i = 0; i < 5; i++) {
        s[i]->data = text;
        s[i]->len = len;
        ngx_memset(text, 'a' + (n + i) % 26, len);
        text += len;
        len = (n * 13 + i * 7) % 60;
    }

    who->expires = expires;
}


static void
test_hash(u_char *hash, uint64_t n)
{
    ngx_uint_t  i;

    /* spread over the sets like a true one */

    for (i = 0; i < 4; i++) {
        n = (n + 0x9e3779b97f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL;
        n ^= n >> 29;
        ngx_memcpy(hash + 8 * i, &n, 8);
    }

    if (test_crowded) {
        /* the first bytes choose the set: one set for all */
        ngx_memzero(hash, 4);
    }
}


static void
test_put(uint64_t n, time_t expires)
{
    u_char                          hash[32], text[512];
    ngx_http_azora_auth_proof_t  who;

    test_hash(hash, n);
    test_principal(&who.principal, text, n, expires);
    who.epoch = n * 3;
    who.issued = (time_t) n + 7;
    ngx_http_azora_auth_cache_put(test_cache, hash, TEST_RING,
                                  TEST_GENERATION, TEST_NOW, &who);
}


/* What came with the principal is remembered for test_same(). */

static ngx_http_azora_auth_proof_t  test_identity;


static ngx_int_t
test_get(uint64_t n, uint64_t ring, uint64_t generation, time_t now,
    ngx_azora_principal_t *who)
{
    u_char     hash[32];
    uint64_t   known;
    ngx_int_t  rc;

    test_hash(hash, n);
    ngx_memzero(&test_identity, sizeof(ngx_http_azora_auth_proof_t));
    known = 0;

    rc = ngx_http_azora_auth_cache_get(test_cache, hash, ring, now,
                                       test_pool, &test_identity, &known);
    *who = test_identity.principal;

    if (rc == NGX_OK && known != generation) {
        return NGX_BUSY;
    }

    return rc;
}


static ngx_uint_t
test_same(uint64_t n, const ngx_azora_principal_t *got)
{
    u_char                  text[512];
    ngx_uint_t              i;
    const ngx_str_t        *a, *b;
    ngx_azora_principal_t   who;

    if (test_identity.epoch != n * 3
        || test_identity.issued != (time_t) n + 7)
    {
        return 0;
    }

    test_principal(&who, text, n, 0);
    a = &who.subject;
    b = &got->subject;

    for (i = 0; i < 5; i++) {
        if (a[i].len != b[i].len
            || ngx_memcmp(a[i].data, b[i].data, a[i].len) != 0)
        {
            return 0;
        }
    }

    return 1;
}


static void
test_rules(void)
{
    u_char                          hash[32], big[600];
    ngx_azora_principal_t           who;
    ngx_http_azora_auth_proof_t  identity;

    is_int(test_get(1, TEST_RING, TEST_GENERATION, TEST_NOW, &who),
           NGX_DECLINED, "an unknown token");

    test_put(1, TEST_NOW + 10);
    is_int(test_get(1, TEST_RING, TEST_GENERATION, TEST_NOW, &who), NGX_OK,
           "a known one");
    ok(test_same(1, &who), "gives its principal");
    is_int(who.expires, TEST_NOW + 10, "and its expiration");

    is_int(test_get(1, TEST_RING, TEST_GENERATION, TEST_NOW + 9, &who),
           NGX_OK, "until it expires");
    is_int(test_get(1, TEST_RING, TEST_GENERATION, TEST_NOW + 10, &who),
           NGX_DECLINED, "and not a second longer");
    is_int(test_get(1, TEST_RING + 1, TEST_GENERATION, TEST_NOW, &who),
           NGX_DECLINED, "not when keys, issuer or audience changed");
    is_int(test_get(1, TEST_RING, TEST_GENERATION + 1, TEST_NOW, &who),
           NGX_BUSY, "it says which epoch of sessions it is known for");
    is_int(test_get(2, TEST_RING, TEST_GENERATION, TEST_NOW, &who),
           NGX_DECLINED, "not for another token");

    ngx_memset(big, 'x', sizeof(big));
    test_hash(hash, 3);
    ngx_memzero(&identity, sizeof(identity));
    test_principal(&identity.principal, big, 3, TEST_NOW + 10);
    identity.principal.scope.data = big;
    identity.principal.scope.len = 500;
    ngx_http_azora_auth_cache_put(test_cache, hash, TEST_RING,
                                  TEST_GENERATION, TEST_NOW, &identity);
    is_int(test_get(3, TEST_RING, TEST_GENERATION, TEST_NOW, &who),
           NGX_DECLINED, "what does not fit a cell is not kept");
}


static void
test_full(ngx_uint_t cells)
{
    ngx_uint_t              i, kept, wrong;
    ngx_azora_principal_t   who;

    for (i = 0; i < 10 * cells; i++) {
        test_put(1000 + i, TEST_NOW + 10 + i);
    }

    kept = wrong = 0;

    for (i = 0; i < 10 * cells; i++) {
        if (test_get(1000 + i, TEST_RING, TEST_GENERATION, TEST_NOW, &who)
            == NGX_OK)
        {
            kept++;
            wrong += !test_same(1000 + i, &who);
        }

        ngx_reset_pool(test_pool);
    }

    is_int(wrong, 0, "a full cache gives nobody another's principal");
    diag("%lu of %lu cells are in use", (unsigned long) kept,
         (unsigned long) cells);
    ok(kept > cells * 9 / 10 && kept <= cells, "and uses its cells");

    /* those that expire last were put last */

    kept = 0;

    for (i = 9 * cells; i < 10 * cells; i++) {
        kept += (test_get(1000 + i, TEST_RING, TEST_GENERATION, TEST_NOW,
                          &who)
                 == NGX_OK);
        ngx_reset_pool(test_pool);
    }

    ok(kept > cells / 2, "for the youngest tokens");
}


/* A reload brings a new configuration and the same memory. */

static void
test_reload(void)
{
    ngx_shm_zone_t                zone;
    ngx_azora_principal_t         who;
    ngx_http_azora_auth_cache_t  *old;
    u_char                        fresh[64];

    test_put(5, TEST_NOW + 100000000);

    old = test_cache;
    ngx_memzero(fresh, sizeof(fresh));
    zone = test_zone;
    zone.data = fresh;
    is_int(zone.init(&zone, old), NGX_OK, "the zone is taken over");

    test_cache = (ngx_http_azora_auth_cache_t *) fresh;
    is_int(test_get(5, TEST_RING, TEST_GENERATION, TEST_NOW, &who), NGX_OK,
           "with what it holds");
    test_cache = old;
}


/* What expires last is kept, so each token comes to evict another. */

static void
test_writer(uint64_t seed)
{
    uint64_t  i;

    ngx_pid = getpid();

    for (i = seed; /* killed */ ; i++) {
        test_put(i % TEST_TOKENS, TEST_NOW + ngx_azora_now_ns() / 100);
    }
}


/*
 * Three writers fight for the four cells of one set with six tokens, and one
 * after another is killed and replaced, while this process reads.
 */

static void
test_race(void)
{
    int                     status;
    pid_t                   pids[3];
    uint64_t                until, n, hits, wrong, kills;
    ngx_uint_t              i;
    ngx_azora_principal_t   who;

    test_crowded = 1;

    for (i = 0; i < 3; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            test_writer(i * 1000);
        }
    }

    n = hits = wrong = kills = 0;
    until = ngx_azora_now_ns() + 1500000000ULL;

    while (ngx_azora_now_ns() < until) {

        for (i = 0; i < 2000; i++) {
            n++;

            if (test_get(n % TEST_TOKENS, TEST_RING, TEST_GENERATION,
                         TEST_NOW, &who)
                == NGX_OK)
            {
                hits++;
                wrong += !test_same(n % TEST_TOKENS, &who);
            }

            ngx_reset_pool(test_pool);
        }

        i = kills++ % 3;
        kill(pids[i], SIGKILL);
        waitpid(pids[i], &status, 0);
        pids[i] = fork();

        if (pids[i] == 0) {
            test_writer(kills * 77);
        }
    }

    for (i = 0; i < 3; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], &status, 0);
    }

    is_int(wrong, 0, "racing and dying writers: no lie");
    ok(hits > 0, "%llu of %llu reads were hits, %llu writers killed",
       (unsigned long long) hits, (unsigned long long) n,
       (unsigned long long) kills);

    for (n = 0, i = 0; i < 4; i++) {
        test_put(100 + i, TEST_NOW + ngx_azora_now_ns() / 10);
    }

    for (i = 0; i < 4; i++) {
        n += (test_get(100 + i, TEST_RING, TEST_GENERATION, TEST_NOW, &who)
              == NGX_OK);
    }

    is_int(n, 4, "cells of dead writers are used again");
    test_crowded = 0;
}


static void
test_speed(void)
{
    uint64_t                from;
    ngx_uint_t              i, hits;
    ngx_azora_principal_t   who;

    test_put(5, TEST_NOW + 100000000);
    from = ngx_azora_now_ns();

    for (hits = 0, i = 0; i < 200000; i++) {
        hits += (test_get(5, TEST_RING, TEST_GENERATION, TEST_NOW, &who)
                 == NGX_OK);

        if (i % 16 == 0) {
            ngx_reset_pool(test_pool);
        }
    }

    is_int(hits, 200000, "200,000 hits");
    diag("one hit takes %llu ns",
         (unsigned long long) (ngx_azora_now_ns() - from) / 200000);
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    test_pool = ngx_create_pool(16384, cf->log);
    ngx_pid = getpid();

    test_make_cache(cf, 64 * ngx_pagesize);
    test_rules();
    test_full(62 * ngx_pagesize / TEST_CELL);
    test_reload();
    test_race();
    test_speed();

    ngx_destroy_pool(test_pool);
}

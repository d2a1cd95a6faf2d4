
/*
 * The limit module's table: GCRA's arithmetic, and what is left of it when
 * many processes use it at once or die in the middle.
 */


#include "ngx_azora_test.h"
#include "../../modules/limit/ngx_http_azora_limit_table.c"

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>


#define SIZE       (64 * 1024)
#define S          1000000000ULL
#define PROCESSES  8
#define MEETINGS_MAX  300000
#define MEETINGS_S    3


/* 100 a minute */

static const ngx_http_azora_limit_rate_t  rate = { 600000000ULL, 60 * S };


static ngx_http_azora_limit_table_t *
new_table(size_t size)
{
    ngx_http_azora_limit_table_t  *table;

    table = mmap(NULL, SIZE, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                 -1, 0);

    if (table == MAP_FAILED
        || ngx_http_azora_limit_table_init(table, size) != NGX_OK)
    {
        diag("no table");
        exit(1);
    }

    return table;
}


static ngx_int_t
charge(ngx_http_azora_limit_table_t *table, uint64_t hash, uint64_t now)
{
    ngx_http_azora_limit_result_t  result;

    return ngx_http_azora_limit_charge(table, hash, &rate, 1, now, &result);
}


static ngx_uint_t
spread(uint64_t n)
{
    return (n * 0x9e3779b97f4a7c15ULL) | 1;
}


/* cells of a table that hold the key */

static ngx_uint_t
cells_of(ngx_http_azora_limit_table_t *table, uint64_t hash)
{
    ngx_uint_t                   i, n;
    ngx_http_azora_limit_set_t  *set;

    set = ngx_http_azora_limit_set(table, hash);
    n = 0;

    for (i = 0; i < NGX_HTTP_AZORA_LIMIT_WAYS; i++) {
        n += (set->keys[i] == hash);
    }

    return n;
}


static ngx_uint_t
doubles_in(ngx_http_azora_limit_table_t *table)
{
    ngx_uint_t                   i, k, n, doubles;
    ngx_http_azora_limit_set_t  *set;

    set = (ngx_http_azora_limit_set_t *) (table + 1);
    doubles = 0;

    for (n = 0; n < table->nsets; n++) {
        for (i = 0; i < NGX_HTTP_AZORA_LIMIT_WAYS; i++) {
            for (k = 0; k < i; k++) {
                doubles += (set[n].keys[i] && set[n].keys[i] == set[n].keys[k]);
            }
        }
    }

    return doubles;
}


static void
test_arithmetic(void)
{
    uint64_t                        now;
    ngx_int_t                       rc;
    ngx_uint_t                      i, passed;
    ngx_http_azora_limit_table_t   *table;
    ngx_http_azora_limit_result_t   result;

    table = new_table(SIZE);
    now = 1000 * S;
    passed = 0;

    rc = ngx_http_azora_limit_charge(table, 7, &rate, 1, now, &result);
    is_int(rc, NGX_OK, "the first request passes");
    is_int(result.tat - now, 600000000, "and takes 0.6 s of the minute");

    for (i = 0; i < 200; i++) {
        passed += (charge(table, 7, now) == NGX_OK);
    }

    is_int(passed, 99, "a hundred in an instant, not one more");
    is_int(charge(table, 8, now), NGX_OK, "another key has its own hundred");
    is_int(charge(table, 7, now + 599999999), NGX_BUSY, "0.6 s are not over");
    is_int(charge(table, 7, now + 600000000), NGX_OK, "now one is free");
    is_int(charge(table, 7, now + 600000000), NGX_BUSY, "and only one");

    rc = ngx_http_azora_limit_charge(table, 7, &rate, 10, now + 3 * S,
                                     &result);
    is_int(rc, NGX_BUSY, "ten at once do not fit after 3 s");
    is_int(result.tat, now + 60 * S + 600000000, "what is refused costs "
           "nothing");
    rc = ngx_http_azora_limit_charge(table, 7, &rate, 4, now + 3 * S, &result);
    is_int(rc, NGX_OK, "four do");

    ngx_http_azora_limit_refund(table, 7, 2 * rate.interval);
    is_int(charge(table, 7, now + 3 * S), NGX_OK, "two are given back: one");
    is_int(charge(table, 7, now + 3 * S), NGX_OK, "two are given back: two");
    is_int(charge(table, 7, now + 3 * S), NGX_BUSY, "but no third");

    passed = 0;

    for (i = 0; i < 200; i++) {
        passed += (charge(table, 7, now + 1000 * S) == NGX_OK);
    }

    is_int(passed, 100, "after a long time a hundred again, no more");

    rc = ngx_http_azora_limit_charge(table, 9, &rate, 100, now, &result);
    is_int(rc, NGX_OK, "one request may cost the whole allowance");

    ngx_http_azora_limit_refund(table, 4711, rate.interval);
    is_int(cells_of(table, 4711), 0, "a refund makes no key");

    (void) munmap(table, SIZE);
}


/* the clock is monotonic, but two processes may have read it at two times */

static void
test_clock(void)
{
    uint64_t                       now;
    ngx_uint_t                     i, passed;
    ngx_http_azora_limit_table_t  *table;

    table = new_table(SIZE);
    now = 1000 * S;
    passed = 0;

    for (i = 0; i < 50; i++) {
        passed += (charge(table, 7, now) == NGX_OK);
    }

    for (i = 0; i < 200; i++) {
        passed += (charge(table, 7, now - 30 * S) == NGX_OK);
    }

    is_int(passed, 50, "a time before gives nothing more");

    for (i = 0; i < 200; i++) {
        passed += (charge(table, 7, now) == NGX_OK);
    }

    is_int(passed, 100, "and takes nothing away");

    for (i = 0; i < 200; i++) {
        passed += (charge(table, 7, now + 1000000 * S) == NGX_OK);
    }

    is_int(passed, 200, "a jump ahead gives one allowance, not many");

    ngx_http_azora_limit_raise(table, 7, now);
    is_int(charge(table, 7, now + 1000000 * S), NGX_BUSY,
           "what another node knew before changes nothing");
    ngx_http_azora_limit_raise(table, 7, now + 1000120 * S);
    is_int(charge(table, 7, now + 1000059 * S), NGX_BUSY,
           "what it knows of later does");
    is_int(charge(table, 7, now + 1000061 * S), NGX_OK, "until its time");
    ngx_http_azora_limit_raise(table, 4711, now);
    is_int(cells_of(table, 4711), 0, "and makes no key");

    (void) munmap(table, SIZE);
}


static void
test_hash(void)
{
    ngx_http_azora_limit_table_t  *a, *b;

    a = new_table(SIZE);
    b = new_table(SIZE);

    ok(ngx_http_azora_limit_hash(a, 1, (u_char *) "amina", 5)
       == ngx_http_azora_limit_hash(a, 1, (u_char *) "amina", 5),
       "a key's hash stays");
    ok(ngx_http_azora_limit_hash(a, 1, (u_char *) "amina", 5)
       != ngx_http_azora_limit_hash(a, 2, (u_char *) "amina", 5),
       "rules count apart");
    ok(ngx_http_azora_limit_hash(a, 1, (u_char *) "amina", 5)
       != ngx_http_azora_limit_hash(b, 1, (u_char *) "amina", 5),
       "no two zones hash alike");

    is_int((intptr_t) ngx_http_azora_limit_set(a, UINT64_MAX)
           - (intptr_t) (a + 1),
           (a->nsets - 1) * sizeof(ngx_http_azora_limit_set_t),
           "the greatest hash falls into the last set");
    ok((a->nsets + 1) * sizeof(ngx_http_azora_limit_set_t)
       + sizeof(ngx_http_azora_limit_table_t) > SIZE
       && a->nsets * sizeof(ngx_http_azora_limit_set_t)
          + sizeof(ngx_http_azora_limit_table_t) <= SIZE,
       "the sets fill the zone and no more");
    is_int(ngx_http_azora_limit_table_init(b, 100), NGX_ERROR,
           "a zone without room for a set is refused");

    (void) munmap(a, SIZE);
    (void) munmap(b, SIZE);
}


static void
test_full(void)
{
    uint64_t                        now;
    ngx_uint_t                      i, evicted, lost;
    ngx_http_azora_limit_table_t   *table;
    ngx_http_azora_limit_result_t   result;

    /* one set: seven keys */

    table = new_table(sizeof(ngx_http_azora_limit_table_t)
                      + sizeof(ngx_http_azora_limit_set_t));
    now = 1000 * S;
    evicted = 0;

    for (i = 1; i <= 7; i++) {
        (void) ngx_http_azora_limit_charge(table, i, &rate, i, now, &result);
        evicted += result.evicted;
    }

    is_int(evicted, 0, "seven keys fit into a set");

    (void) ngx_http_azora_limit_charge(table, 8, &rate, 9, now, &result);
    is_int(result.evicted, 1, "the eighth evicts a live one");
    is_int(cells_of(table, 1), 0, "the one that had used least");
    is_int(result.tat, now + 9 * rate.interval, "and starts afresh");

    /* 2 and 3 have expired after 2 s, the others have not */

    lost = 0;

    for (i = 9; i <= 10; i++) {
        (void) ngx_http_azora_limit_charge(table, i, &rate, 50, now + 2 * S,
                                           &result);
        lost += result.evicted;
    }

    is_int(lost, 0, "what has expired goes first and is not missed");
    is_int(cells_of(table, 2) + cells_of(table, 3), 0, "both are gone");
    is_int(cells_of(table, 4), 1, "a live one stays");

    (void) munmap(table, SIZE);
}


/*
 * Starts n processes at once; each calls run(table, its number, shared memory
 * of its own choosing).  Returns the sum of what they return.
 */

static ngx_uint_t
together(ngx_http_azora_limit_table_t *table, ngx_uint_t n,
    ngx_uint_t (*run)(ngx_http_azora_limit_table_t *table, ngx_uint_t n,
    volatile ngx_uint_t *shared))
{
    pid_t                 pid[PROCESSES];
    ngx_uint_t            i, sum;
    volatile ngx_uint_t  *shared;

    shared = mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                  -1, 0);
    if (shared == MAP_FAILED) {
        diag("no shared memory");
        exit(1);
    }

    for (i = 0; i < n; i++) {
        pid[i] = fork();

        if (pid[i] == 0) {
            ngx_pid = getpid();

            while (!shared[0]) {
                sched_yield();
            }

            (void) __sync_fetch_and_add(&shared[1], run(table, i, &shared[2]));
            _exit(0);
        }
    }

    shared[0] = 1;

    for (i = 0; i < n; i++) {
        (void) waitpid(pid[i], NULL, 0);
    }

    sum = shared[1];
    (void) munmap((void *) shared, 4096);

    return sum;
}


static ngx_uint_t
use_fresh_keys(ngx_http_azora_limit_table_t *table, ngx_uint_t n,
    volatile ngx_uint_t *shared)
{
    ngx_uint_t  i, key, passed;

    passed = 0;

    for (key = 1; key <= 200; key++) {
        for (i = 0; i < 50; i++) {
            passed += (charge(table, spread(key), 1000 * S) == NGX_OK);
        }
    }

    return passed;
}


/*
 * Two processes meet before each key and agree on a moment, so that both find
 * it missing; the second comes up to 50 ns before or after the first, about as
 * long as a charge takes.  One request of each key may pass: the sum of what
 * both return is the number of requests that passed beyond that.
 */

static ngx_uint_t
meet_at_keys(ngx_http_azora_limit_table_t *table, ngx_uint_t n,
    volatile ngx_uint_t *shared)
{
    uint64_t                       now, start, end;
    ngx_uint_t                     key, spins, passed;
    ngx_http_azora_limit_rate_t    one;
    ngx_http_azora_limit_result_t  result;

    passed = 0;
    one.interval = S;
    one.tolerance = S;
    end = ngx_azora_now_ns() + MEETINGS_S * S;

    for (key = 1; key <= MEETINGS_MAX; key++) {

        if (__sync_fetch_and_add(shared, 1) == 2 * key - 1) {
            shared[8 + key % 2] = ngx_azora_now_ns() + 500;
            shared[17] = (ngx_azora_now_ns() > end);
            shared[16] = key;
        }

        for (spins = 0; shared[16] != key; spins++) {
            if (spins > 10000) {
                sched_yield();
            }
        }

        if (shared[17]) {
            break;
        }

        start = shared[8 + key % 2] + (n ? key % 100 : 50);

        while (ngx_azora_now_ns() < start) { /* void */ }

        /* the keys before have expired */

        now = key * 1000 * S;
        passed += (ngx_http_azora_limit_charge(table, spread(key), &one, 1,
                                               now, &result)
                   != NGX_BUSY);
    }

    return n ? passed : passed - (key - 1);
}


static ngx_uint_t
use_many_keys(ngx_http_azora_limit_table_t *table, ngx_uint_t n,
    volatile ngx_uint_t *shared)
{
    uint64_t    x;
    ngx_uint_t  i, declined;

    x = n + 1;
    declined = 0;

    for (i = 0; i < 200000; i++) {
        x = x * 6364136223846793005ULL + 1442695040888963407ULL;
        declined += (charge(table, spread((x >> 33) % 5000),
                            1000 * S + i * 1000)
                     == NGX_DECLINED);
    }

    return declined;
}


static void
test_together(void)
{
    ngx_uint_t                     i, key, wrong, declined;
    ngx_http_azora_limit_table_t  *table;

    wrong = 0;

    for (i = 0; i < 10; i++) {
        table = new_table(SIZE);
        wrong += (together(table, PROCESSES, use_fresh_keys)
                  != 200 * 100);

        for (key = 1; key <= 200; key++) {
            wrong += (cells_of(table, spread(key)) != 1);
        }

        (void) munmap(table, SIZE);
    }

    is_int(wrong, 0, "8 processes on 200 fresh keys: 100 pass of each, always");

    table = new_table(4096);
    is_int(together(table, 2, meet_at_keys), 0,
           "two find a key missing at the same time: one passes, always");
    (void) munmap(table, SIZE);

    table = new_table(4096);
    declined = together(table, PROCESSES, use_many_keys);
    ok(declined < 100,
       "8 processes, 5000 keys in 217 cells: %lu of 1600000 not counted",
       (unsigned long) declined);
    is_int(doubles_in(table), 0, "no key has two cells");
    (void) munmap(table, SIZE);
}


static void
test_dead_owner(void)
{
    pid_t                          pid;
    ngx_uint_t                     i, dead, passed;
    ngx_http_azora_limit_set_t    *set;
    ngx_http_azora_limit_table_t  *table;

    table = new_table(sizeof(ngx_http_azora_limit_table_t)
                      + sizeof(ngx_http_azora_limit_set_t));
    set = (ngx_http_azora_limit_set_t *) (table + 1);

    pid = fork();

    if (pid == 0) {
        _exit(0);
    }

    (void) waitpid(pid, NULL, 0);

    (void) charge(table, 1, 1000 * S);
    set->owner = pid;
    set->tats[0] = NGX_HTTP_AZORA_LIMIT_CLAIMED;

    is_int(charge(table, 2, 1000 * S), NGX_OK,
           "a set whose owner died is taken over");
    is_int(set->owner, 0, "and given back");
    is_int(set->keys[0], 2, "the cell it was about to change is used");

    set->owner = pid;
    set->tats[0] = NGX_HTTP_AZORA_LIMIT_CLAIMED;

    for (passed = 0, i = 0; i < 200; i++) {
        passed += (charge(table, 2, 1000 * S) == NGX_OK);
    }

    is_int(passed, 100, "also when it is the cell of that very key");
    is_int(cells_of(table, 2), 1, "which stays its only one");

    (void) munmap(table, SIZE);

    /* killed anywhere, fifty times */

    table = new_table(4096);
    dead = 0;

    for (i = 0; i < 50; i++) {
        pid = fork();

        if (pid == 0) {
            ngx_pid = getpid();
            (void) use_many_keys(table, i, NULL);
            for ( ;; ) {
                (void) use_many_keys(table, i, NULL);
            }
        }

        (void) usleep(1000 + (i * 377) % 3000);
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
        dead++;
    }

    is_int(dead, 50, "fifty processes were killed at work");
    ok(together(table, PROCESSES, use_many_keys) < 100, "the others go on");
    is_int(doubles_in(table), 0, "and no key has two cells");

    (void) munmap(table, SIZE);
}


static void
test_living_owner(void)
{
    ngx_http_azora_limit_set_t    *set;
    ngx_http_azora_limit_table_t  *table;

    table = new_table(sizeof(ngx_http_azora_limit_table_t)
                      + sizeof(ngx_http_azora_limit_set_t));
    set = (ngx_http_azora_limit_set_t *) (table + 1);

    (void) charge(table, 1, 1000 * S);
    set->owner = getppid();

    is_int(charge(table, 1, 1000 * S), NGX_OK,
           "a known key does not wait for the owner");
    is_int(charge(table, 2, 1000 * S), NGX_DECLINED,
           "a new one waits a bounded time");
    is_int(set->owner, getppid(), "and takes nothing from a living owner");

    (void) munmap(table, SIZE);
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    is_int(sizeof(ngx_http_azora_limit_set_t), 128, "a set is two cache lines");
    is_int(sizeof(ngx_http_azora_limit_table_t), 64, "after a header of one");

    test_arithmetic();
    test_clock();
    test_hash();
    test_full();
    test_together();
    test_dead_owner();
    test_living_owner();
}
